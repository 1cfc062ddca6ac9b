//! What is no order: questions, thanks, complaints; and words that mean nothing here.

use crate::lexicon::Tag::{self, Elsewhere, Inquiry, Past, Size, Stop};

pub(super) const TABLE: &[(Tag, &str)] = &[
    (
        Inquiry,
        "i want to know|to know|like to know|need to know|where|whether|provides|recommendations|can i get delivery|can i get takeout|can i get takeaway|check on|how much|how many|how long|how is|how are|how's|how do|what time|what is|what's|whats|what are|what kind|what does|what do you|which|where is|where's|wheres|where are|when is|when are|when do|when will|why|who|do you have|do you do|do you sell|do you bake|do you ship|do you deliver|do you take|do you accept|do you offer|do you serve|do u have|are there|is there|are you|is it|is the|is that|does it|does the|does|have you got|price of|prices|price|status|track|recipe|recipe of|menu|return policy|hiring|the invoice for|opening hours|available|in stock|any discount|discount|promo|can you tell|could you tell|tell me|just asking|just browsing|wondering|i was wondering\
         |berapa|brp|brapa|harga|harganya|jam berapa|dimana|di mana|mana|kapan|kenapa|kok|apakah|apa|ada apa|adakah|bisa ga|bisa gak|ready|ada ga|ada gak|ada promo|ada paket|ada|promo|diskon|lokasi|lokasinya|gimana|bagaimana|gmn|resi|buka|tutup|masih ada|stok|ongkir|ongkirnya|mahal|berape|bila|tanya|nanya\
         |cuánto|cuanto|cuánta|cuántos|cuesta|cuestan|a qué hora|a que hora|qué hora|dónde|donde|tienen|tiene|tenéis|teneis|tienes|hay|cuál|cual|como es|por qué|precio|precios|horario|abren|abrís|cierran|hacen|aceptan|sirven|factura|reservar mesa|una mesa|disponible|oferta|ofertas|menú\
         |quanto|quanto custa|quanto tá|quanto é|qual|quais|que horas|onde|cadê|cade|tem|têm|vocês têm|vcs tem|abrem|abre|fecham|fecha|aceita|aceitam|entregam|fazem|fazem entrega|quando|por que|preço|valor|cardápio|horário|promoção|vale refeição|mudou|tá aberto\
         |combien|quel|quelle|quels|quelles|où|quand|pourquoi|comment|avez-vous|vous avez|est-ce que vous|y a-t-il|il y a|prix|horaires|ouvert|ouverts|fermez|ouvrez|livrez-vous|acceptez-vous\
         |wie viel|wieviel|was kostet|was kosten|kostet|wann|wo ist|wo bleibt|wo|wie lange|warum|welche|welches|haben sie|habt ihr|gibt es|gibt's|liefern sie|liefert ihr|preis|preise|öffnungszeiten|geöffnet|offen|nehmen sie karte|akzeptieren\
         |كم|بكم|كم سعر|سعر|اسعار|متى|وين|اين|أين|فين|ليش|ليه|كيف|هل|عندكم|عندك|فيه|في عندكم|ايش|وش|شو|تفتحون|بتفتحوا|تقفلون|مين|المنيو|عرض|عروض|متوفر|تاخر|تأخر",
    ),
    (
        Past,
        "yesterday|last week|last time|last night|ordered|i ordered|we ordered|received|arrived|was|were|refund|complaint|complain|wrong|cold|late|missing item|stale|broken|damaged|delicious|amazing|awesome|lovely|loved|tasty|had on|my food|returned|return|invoice from|thanks for|thank you for|waiting for|still waiting|it's been|been waiting|not arrived|never arrived\
         |kemarin|kmrn|kemaren|tadi pagi|sudah sampai|udah sampe|udah nyampe|nyampe|belum sampai|belum sampe|blm sampe|blm dateng|belum datang|enak|enak bgt|enak banget|mantap|retur|komplain|kecewa|rusak|salah kirim|kekecilan|kebesaran|refund|sampe|sampai|semalam|sedap\
         |ayer|la semana pasada|semana pasada|anoche|llegó|llego|llegaron|estaba|estaban|estuvo|estuvieron|estuvo rico|rico|buenísimos|deliciosos|delicioso|reclamar|reembolso|devolución|queja|frío|fría|faltó|faltaron|faltaba|llegó mal|muy mal\
         |ontem|veio|vieram|chegou|chegaram|estava|estavam|reclamar|reclamação|reembolso|frio|fria|errado|errada|atrasado|atrasou|faltou|delícia|delicia|maravilhoso|parabéns|uma delícia|semana passada\
         |hier soir|d'hier|reçu|arrivé|arrivée|était|étaient|froid|froide|remboursement|réclamation|délicieux|en retard|la semaine dernière|j'ai commandé\
         |gestern|letzte woche|angekommen|war|waren|kalt|erstattung|reklamation|beschwerde|lecker|falsch|verspätet|fehlte|habe bestellt|hatte bestellt\
         |امس|أمس|مبارح|امبارح|وصلني|وصل|جاتني|جاني|كان|كانت|بارد|باردة|لذيذ|لذيذة|تحفة|تسلم|تسلم ايديكم|ناقص|غلط|استرجاع|شكوى|تاخر كثير",
    ),
    (
        Elsewhere,
        "how to|to make|help making|need to make|where to|shops|shop names|place that|places|playlist|remind me|car|radius|local restaurant|stores|taxi|cab|uber|ride|lyft|train|list|to do list|todo list|grocery list|shopping list|recipe|recipes|cook|cooking|ingredients|ingredient|boil|bake a|restaurants near|shops near|book a table|table for|a table|reservation|reservations|appointment|job|salon|hotel|mesa para|tisch für|une table pour|lowongan|ojek|status of|bill",
    ),
    (
        Size(0),
        "small|sm|kecil|pequenas|pequenos|pequeñas|pequeños|chicas|chicos|petits|petites|chica|chico|pequeña|pequeño|pequeno|pequena|petit|petite|klein|kleine|kleines|kleinen|صغير|صغيرة|s",
    ),
    (
        Size(1),
        "medium|mediums|medianas|medianos|médias|médios|moyennes|med|regular|sedang|mediana|mediano|médio|média|media|moyen|moyenne|mittel|mittlere|وسط|متوسط|متوسطة|m",
    ),
    (Size(2), "large|larges|lg|big|besar|grande|grandes|grand|gross|große|großes|großen|كبير|كبيرة|l|g"),
    (
        Stop,
        "food|something|anything|eat|thing|things|meal|dinner|lunch|breakfast|usual|near|near me|nearby|confirmation|confirm|makan|makanan|comida|essen|اكل|الاكل|the|of|de|do|da|dos|das|del|la|el|los|las|o|os|le|les|des|du|der|die|das|den|dem|des|al|i|me|my|we|us|you|your|it|its|that|this|these|those|is|be|am|in|on|at|to|for|from|by|as|so|or|but|if|then|now|just|please|pls|plz|plss|pliss|thanks|thank|thx|ty|tks|hi|hello|hey|yo|good|morning|evening|afternoon|night|dear|sir|madam|guys|team|ok|okay|okey|k|yes|yeah|yep|yup|sure|fine|great|perfect|cool|nice|hmm|uh|uhh|um|umm|er|well|will|would|could|can|do|have|get|got|like|some|any|one|ones|each|total|altogether|today's|special|number|no.|size|sizes|colour|color|flavour|flavor|that's|thats|that's all|thats all|that is all|nothing else|also|too|there|here|out|off|up|let|let's|put|pay|paying|paid|i'll|ill|i'm|i'd|we'll|we're|pay by|pay with|with|and|my brother|my sister|my friend|my mum|my mom|my dad|brother|sister|friend|wife|husband|home|office|work|house|company|asap|hope|so much|very|much|extra|lol|haha|btw|anyway|possible|help|customer|shop|app\
         |ya|yaa|yah|kak|kakak|min|mimin|admin|gan|sis|bang|bg|mas|mbak|mba|pak|bu|ibu|bro|om|tante|dong|donk|deh|sih|nih|nah|lah|kan|aja|saja|tolong|tlg|mohon|makasih|mksh|terima kasih|tq|trims|trimakasih|halo|hallo|hai|assalamualaikum|selamat|pagi|siang|sore|malam|saya|sy|aku|gue|gw|kami|kita|ini|itu|yang|yg|di|ke|dari|untuk|utk|buat|bt|oke|iya|sip|siap|baik|nggak|gak|ga|tidak|tdk|dulu|nanti|ntar|mas|pesanan|orderan|totalnya|warna|ukuran|rasa|temen|teman|bayar|bayarnya|pembayaran|pake|pakai|level|waalaikumsalam|permisi|punten|encik|cik|boss|bos|awak|nya|ni|tu|je|jer|rumah|toko|warung|jugak\
         |hola|buenas|buenos|días|dias|tardes|noches|noche|por favor|porfavor|porfa|porfis|xfa|xfavor|pf|gracias|muchas|si|sí|no|vale|bueno|pues|oye|mira|amigo|amiga|señor|nada más|nada mas|eso es todo|solo|que|qué|se|en|con|para|mi|mis|tu|su|yo|nos|les|te|lo|un poco|pago|pagar|quedo|quedamos|ellos|ellas|estoy|está|favor|saludos|todo bien|casa|orden|pedido|amigos|quiero|sea|sean|fuera|aquí|ahí|allá|después|luego\
         |oi|oii|olá|ola|bom|boa|dia|tarde|noite|por favor|pfv|pfvr|pf|obg|obrigado|obrigada|vlw|valeu|sim|não|nao|n|tá|ta|td|tudo|bem|beleza|blz|moça|moço|amigo|gente|pra|pro|para|por|na|no|em|com|que|é|e|eu|meu|minha|meus|vc|vcs|você|vocês|só|isso|é isso|mais nada|aí|ai|lá|pago|pagar|vou|ser|pode|favor|festa|mãe|pai|quero|lugar|também|casa|mim\
         |bonjour|bonsoir|salut|svp|s'il vous plaît|s'il te plaît|s'il vous plait|s'il|vous|plaît|plait|merci|beaucoup|oui|non|je|nous|on|c'est tout|pour|chez|et|en|au|aux|sur|avec|mon|ma|mes|ce|cette|voilà|alors|moi|paie|paye\
         |hallo|guten|tag|abend|moin|servus|bitte|danke|vielen|schön|ja|nein|ich|wir|mir|uns|sie|ihr|es|zu|zum|zur|für|fuer|auf|im|am|an|von|vom|mit|das ist alles|das wäre alles|dann|gerne|gern|mal|meine|mein|meinen|zahle|zahlen|bezahle|bei|liebe|grüße|gruß|noch|halt\
         |السلام|عليكم|وعليكم|السلام عليكم|مرحبا|هلا|اهلا|أهلا|صباح|الخير|مساء الخير|لو|سمحت|لو سمحت|سمحتي|سمحتوا|فضلك|من فضلك|شكرا|شكراً|مشكور|مشكورين|يعطيك|العافية|جزاك|الله|خير|نعم|اي|ايوه|ايوا|لا|طيب|تمام|اوك|اوكي|حبيبي|اخوي|لاخوي|اختي|لي|لك|على|عن|في|من|الى|إلى|هذا|هذه|هذي|بس|يا|ان|انا|الدفع|دفع|كثير|اللي|فقط|يكون|عشان|اسم|يوم|المحل|الفرع",
    ),
];
