//! Ordering, and changing what was ordered.

use crate::lexicon::Tag::{
    self, All, And, Another, Cancel, Into, More, Order, OrderNoun, Ordinal, Remove, Replace, Set, Want, With, Without,
};

pub(super) const TABLE: &[(Tag, &str)] = &[
    (
        Want,
        "want|i want|i'd like|id like|would like|i would like|we'd like|can i get|can we get|can i have|can we have|could i get|could i have|could we get|could we have|could you get|may i have|may i get|gimme|give me|lemme get|let me get|let me have|get me|get us|i'll take|ill take|i'll have|ill have|i will have|i will take|we'll take|we'll have|need|i need|bring me|bring us|send me|send us|put aside|put me down for|buy|i'll get|ill get|i'll grab|wanna|i wanna|do me|in the mood for|craving|set aside|reserve me\
         |mau|pengen|pingin|pgn|pengin|minta|mnta|boleh|bisa minta|saya ambil|aku ambil|sy ambil|ambil|beli|nak|saya nak|bagi|bagi saya|kasih|tolong kirim|kirim|bungkusin|bikinin|siapkan|tapau|ta pau\
         |quiero|kiero|quisiera|queria|quería|querría|querríamos|queremos|dame|deme|me das|me da|me pones|ponme|póngame|ponga|ponganos|ponednos|mándame|mandame|me mandas|me manda|tráeme|me traes|me regalas|regálame|necesito|voy a querer|me gustaría|me gustaria|me puede dar|me pueden mandar|me apuntas|apúntame|me llevo|sírveme|nos pones|vamos a querer|me preparas|prepárame|se me antoja\
         |quero|queria|gostaria|gostaria de|me vê|me ve|me dá|me da|manda|me manda|mande|vou querer|vou levar|separa|separa pra mim|preciso|preciso de|me traz|traz|vê pra mim|faz pra mim|prepara|quero levar|pode mandar|pode ser|me veja|vamos querer|mandar|dá pra mandar|me arruma\
         |je voudrais|je veux|on voudrait|nous voudrions|j'aimerais|je prends|je prendrai|donnez moi|donnez-moi|il me faut|il me faudrait|je vais prendre|on prend|on va prendre|mettez moi|mettez-moi|mets moi|est-ce que je peux avoir|je peux avoir|puis-je avoir|pourrais-je avoir|pouvez-vous m'apporter|envoyez moi|j'ai besoin de|pour moi\
         |ich möchte|ich moechte|möchte|ich hätte gern|ich hätte gerne|hätte gern|hätte gerne|haette gern|haette gerne|hätten gern|hätten gerne|ich will|ich nehme|wir nehmen|wir möchten|wir hätten gern|kann ich|könnte ich|bitte einmal|einmal|zweimal|ich brauche|wir brauchen|bringen sie|schicken sie|ich bekomme|gib mir|geben sie mir\
         |ابغى|ابغي|ابي|ابى|بغيت|نبي|نبغى|اريد|أريد|نريد|عايز|عايزة|عايزين|عاوز|عاوزة|عاوزين|بدي|بدنا|ممكن|حاب|حابة|حابب|اعطني|عطني|اعطيني|هات|هاتلي|ارسلي|ارسل لي|جيب|جيبلي|جهز لي|جهزلي|خذ لي|محتاج|محتاجة|احتاج|أحتاج|ودي",
    ),
    (
        Order,
        "order|to order|place an order|ordering|put in an order|put an order|make an order|order for pickup|start an order|start a takeaway order|order me|order us|take my order|preorder|pre-order\
         |pesan|pesen|psn|mesen|mesan|order dong|pesan dong|mau pesan|mau pesen|mau order|nak order|pesankan|orderan|checkout|mau co|nak pesan|nak tempah|tempah\
         |pedir|encargar|hacer un pedido|hacer una orden|ordenar|pido|encargo|quiero pedir|quisiera pedir|quería pedir|hacerles un pedido|hacer pedido\
         |fazer um pedido|fazer pedido|encomendar|encomenda|encomendo|quero pedir|queria pedir|peço|anota|anota aí|fazer uma encomenda|vou pedir\
         |commander|passer commande|passer une commande|je commande|prendre commande|faire une commande\
         |bestellen|bestelle|bestellung aufgeben|vorbestellen|ich bestelle|wir bestellen|bestell\
         |اطلب|أطلب|نطلب|اطلب لي|طلب لي|بغيت اطلب|ابغى اطلب|ابي اطلب|عايز اطلب|احجز لي|اوردر|الطلب هو|سجل لي|سجل عندك",
    ),
    (
        OrderNoun,
        "my order|the order|our order|that order|this order|an order|order|orders|pesanan|pesanannya|pesanan saya|orderan|orderan saya|pedido|mi pedido|meu pedido|o pedido|el pedido|pedidos|mi orden|la orden|orden|encomenda|minha encomenda|ma commande|la commande|commande|bestellung|meine bestellung|die bestellung|طلب|الطلب|طلبي|طلبية|الطلبية|طلبيتي|tempahan|tempahan saya",
    ),
    (
        Cancel,
        "cancel|cancel that|cancel it|scratch that|forget it|never mind|nevermind|nvm|call it off|don't want it anymore|changed my mind|scrap that\
         |batal|batalin|batalkan|dibatalkan|cancel aja|ga jadi|gak jadi|gajadi|gk jadi|nggak jadi|ngga jadi|enggak jadi|tidak jadi|tak jadi|gajadi deh|tak jadilah\
         |cancela|cancelar|cancele|cancelo|cancelem|anula|anular|anule|ya no quiero nada|no quiero nada|ya no lo quiero|olvídalo|olvidalo|mejor no\
         |desisto|desisti|não quero mais|nao quero mais|n quero mais|deixa pra lá|esquece|cancelado|pode cancelar\
         |annuler|annulez|annule|j'annule|laisse tomber|laissez tomber|je ne veux plus rien\
         |stornieren|storniere|storniert|storno|abbestellen|doch nicht|vergiss es|vergessen sie es|absagen\
         |الغي|ألغي|الغاء|إلغاء|الغ|كنسل|كنسلي|كنسلو|الغو|الغوا|ما ابغى شي|خلاص ما ابغى|مش عايز حاجة",
    ),
    (
        Remove,
        "remove|drop|take off|take out the|leave out|minus|skip the|without the|delete|lose the|no more|take away the|don't want the|dont want the|hold the|forget the\
         |hapus|hilangkan|buang|kurangi|ga usah|gak usah|gausah|nggak usah|tak payah|coret|tolak|hapuskan|kurangin\
         |quita|quítame|quitale|quítale|quitar|saca|sácame|elimina|borra|sin la|ya no quiero|quíteme|retira el|retira la\
         |tira|tirar|tire|remove o|remova|retira|retire|sem o|sem a|exclui\
         |enlève|enlever|enlevez|retirez|retirer|supprimez|supprime|sans le|sans la\
         |streichen|streich|entferne|entfernen|weglassen|nehmen sie|nimm|raus|ohne die|ohne das|ohne den|streiche\
         |شيل|شيلي|شيلو|احذف|امسح|بلاش|نزل|ما ابغى|ما ابي|مابغى|لا تحط",
    ),
    (
        Set,
        "make that|make it|make them|make the|change that to|change it to|actually|sorry|i meant|i mean|rather|should be|update to|instead just|just make it|only|oops|correction|edit\
         |jadi|jadiin|jadikan|eh jadi|ralat|koreksi|maksudnya|maksud saya|diganti jadi|eh|jadinya|sorry jadi|tukar jadi|bukan\
         |mejor que sean|que sean|mejor|perdón|perdon|digo|mejor dicho|en realidad|al final|son|cambia a|hazlo|ponlo en\
         |na vdd|na verdade|aliás|alias|melhor|digo|quer dizer|desculpa|faz|muda pra|corrigindo|deixa|pode deixar|vamos fazer\
         |plutôt|en fait|finalement|pardon|mettez-en|je voulais dire|non pardon\
         |lieber|doch lieber|eigentlich|ich meine|ich meinte|machen sie|mach|doch|machen sie daraus|sondern\
         |خليهم|خليها|خليه|خلها|خله|خلهم|قصدي|اقصد|لا خليها|لا خليه|بدل ما|عدلها|صحح|اسف",
    ),
    (
        Replace,
        "change|swap|replace|switch|exchange|substitute|ganti|tukar|gantiin|tuker|diganti|ubah|cambia|cambiar|cámbiame|cambiame|cambie|sustituye|troca|trocar|troque|muda|mudar|substitui|remplacer|remplacez|remplace|changer|changez|change|tausche|tauschen|ersetze|ersetzen|wechseln|ändern|statt|بدل|غير|غيري|استبدل|بدلي",
    ),
    (Into, "to|for|with|into|jadi|dengan|sama|ke|por|para|a|com|por um|par|pour|en|contre|durch|gegen|in|zu|الى|إلى|ب|لـ|بـ"),
    (
        More,
        "more|another|extra|add|also|plus|as well|additional|one more|and also|too|add on|throw in\
         |tambah|tambahin|tambahan|nambah|lagi|juga|plus|sekalian|satu lagi|tambahkan|pula\
         |más|mas|agrega|agrégame|agregar|añade|añadir|añádeme|también|tambien|otro|otra|otros|otras|súmale|suma|aparte\
         |mais|adiciona|adicionar|acrescenta|coloca|põe|poe|bota|inclui|também|tambem|tb|tbm|outro|outra|outros|mais um|mais uma|coloque|no lugar\
         |encore|ajoutez|ajoute|ajouter|aussi|autre|en plus|et aussi\
         |noch|noch ein|noch eine|noch einen|dazu|auch|auch noch|zusätzlich|füge|hinzu|mehr|ausserdem\
         |زيد|زيدي|ضيف|اضف|أضف|كمان|بعد|برضو|زياده|زيادة|ايضا|أيضا|زود",
    ),
    (
        Another,
        "another order|a second order|second order|separate order|new order|other order|one more order|a different order|next order\
         |pesanan kedua|pesanan lain|pesanan baru|pesanan satu lagi|pesanan ke dua|order kedua|pesanan terpisah|satu pesanan lagi|orderan kedua|tempahan kedua|pesanan ketiga\
         |otro pedido|otra orden|segundo pedido|nuevo pedido|pedido aparte|pedido nuevo|otro pedido aparte|segunda orden|un pedido más|tercer pedido\
         |outro pedido|segundo pedido|novo pedido|pedido separado|mais um pedido|outra encomenda|terceiro pedido\
         |une autre commande|autre commande|deuxième commande|nouvelle commande|commande séparée|seconde commande\
         |zweite bestellung|andere bestellung|eine weitere bestellung|weitere bestellung|neue bestellung|noch eine bestellung|separate bestellung\
         |طلب ثاني|طلب تاني|طلب آخر|طلب اخر|طلب جديد|طلبية ثانية|طلبية جديدة|الطلب الثاني|طلب منفصل",
    ),
    (Ordinal(1), "first|the first|1st|pertama|primero|primera|primer|primeiro|primeira|premier|première|erste|ersten|الاول|الأول"),
    (Ordinal(2), "second|the second|2nd|kedua|segundo|segunda|deuxième|zweite|zweiten|الثاني|التاني"),
    (Ordinal(3), "third|the third|3rd|ketiga|tercero|tercera|terceiro|terceira|troisième|dritte|dritten|الثالث"),
    (All, "all|everything|all of it|both|semua|semuanya|todo|todos|tudo|tout|alles|alle|كل|كله|كلها|كل شي"),
    (
        Without,
        "no|without|w/o|hold the|minus|less|tanpa|ga pake|gak pake|ga pakai|gak pakai|jangan pake|jangan pakai|nggak pake|tidak pakai|tak nak|tak mau|kurang|taknak|gapake|no pake\
         |sin|sem|não põe|nao poe|sans|pas de|ohne|kein|keine|keinen|بدون|من غير|بلا|مافي|من دون",
    ),
    (With, "with|w|pake|pakai|dengan|con|com|avec|mit|مع|tambah|plus|extra|dgn"),
    (
        And,
        "and|n|&|+|plus|dan|sama|ama|dgn|dengan|serta|terus|trus|y|e|et|und|sowie|و|مع|with|con|com|avec|mit|as well as|juga|then|beserta|lalu|campur|along with|puis",
    ),
];
