//! How, when, where, for whom, and how it is paid.

use crate::lexicon::Pay::{Card, Cash, Online, Transfer};
use crate::lexicon::Tag::{
    self, AddressCue, ClockCue, Day, DayLead, DayPart, Delivery, DineIn, Honorific, Moment, Month, NameCue, NameHint, Pay,
    People, PhoneCue, Pickup, StreetFirst, StreetLast,
};

pub(super) const TABLE: &[(Tag, &str)] = &[
    (
        Delivery,
        "delivery|deliver|delivered|deliver to|ship|ship to|shipping|send it to|drop off|bring it to|for delivery|send to\
         |antar|anter|diantar|dianter|kirim|kirim ke|dikirim|delivery|hantar|penghantaran|pengiriman|kirimin|gosend|gofood|antarin|anterin|antar ke\
         |a domicilio|domicilio|envío|envio|enviar|entregar|entrega|a casa|mándalo|envíenlo|enviarlo|para entregar|me lo mandas|reparto\
         |entregar|entrega|delivery|pra entregar|levar em casa|manda na|entregue|motoboy|tele-entrega|para entrega\
         |livraison|livrer|livrez|livré|à livrer|à domicile|en livraison\
         |lieferung|liefern|geliefert|nach hause|zum liefern|zustellen|lieferadresse\
         |توصيل|توصلونه|وصلوه|وصله|توصلوه|دليفري|ديلفري|توصيله|توصلون|للتوصيل|وصلها|ارسلوه",
    ),
    (
        Pickup,
        "pickup|pick up|pick-up|pick it up|picking up|collect|collection|collecting|takeaway|take away|take-away|take out|takeout|to go|carry out|carryout|i'll come by|come by|i'll come get it|i'll pick\
         |ambil sendiri|diambil|ambil di tempat|bungkus|dibungkus|bawa pulang|take away|ambil ke toko|ambil di toko|saya jemput|pickup|tapau|ambil ditempat|pick up sendiri|bungkus aja\
         |para llevar|recoger|recojo|paso por|pasar por|lo recojo|paso a recoger|recogida|recogemos|voy por|pasamos por|recogerlo|retiro en|lo paso a buscar\
         |retirar|retirada|vou retirar|vou buscar|busco|buscar|pra viagem|para viagem|retiro|passo aí|pego aí|pegar aí|passo pra pegar|para levar|pra levar\
         |à emporter|a emporter|emporter|je viens chercher|viens le chercher|viendrai chercher|retrait|je passe|venir chercher|récupérer\
         |abholen|abholung|hole ich ab|hole es ab|zum mitnehmen|mitnehmen|selbstabholung|hole ab|holen wir ab\
         |استلام|استلم|هستلم|هستلمها|هستلمه|استلمه|استلمها|سفري|باخذه|اخذه|بمر اخذه|باجي اخذه|هعدي|سفرى|بستلمه|من المحل|من الفرع",
    ),
    (
        DineIn,
        "dine in|eat in|eat here|dine-in|for here|makan di sini|makan di tempat|makan sini|makan disini|comer aquí|para comer aquí|comer aqui|comer no local|sur place|hier essen|vor ort|محلي|اكل هنا",
    ),
    (
        Pay(Cash),
        "cash|cash on delivery|cod|bayar di tempat|bayar tunai|tunai|cash aja|efectivo|en efectivo|dinheiro|em dinheiro|espèces|en espèces|en liquide|liquide|in bar|barzahlung|bar zahlen|bar bezahlen|zahle bar|zahlen bar|كاش|نقد|نقدا|عند الاستلام|الدفع عند الاستلام|contra reembolso|contra entrega",
    ),
    (
        Pay(Card),
        "card|credit card|debit card|by card|kartu|kartu kredit|kartu debit|debit|kad|tarjeta|con tarjeta|cartão|cartao|no cartão|crédito|débito|carte|par carte|carte bancaire|cb|kreditkarte|karte|ec karte|mit karte|بطاقة|بالبطاقة|فيزا|مدى|شبكة|visa|mastercard",
    ),
    (
        Pay(Transfer),
        "transfer|bank transfer|wire|trf|tf|transfer bca|transfer bank|transferencia|transferência|ted|virement|überweisung|ueberweisung|überweisen|تحويل|حوالة|transfer bank|duitnow|iban",
    ),
    (
        Pay(Online),
        "paypal|apple pay|google pay|venmo|zelle|cashapp|revolut|klarna|stripe|payment link|online payment|pay online|gopay|go-pay|pake ovo|pakai ovo|via ovo|via dana|pake dana|pakai dana|shopeepay|qris|linkaja|tng|grabpay|bizum|mercado pago|oxxo|pix|no pix|mbway|mb way|picpay|lydia|stc pay|stcpay|فودافون كاش|انستاباي|ابل باي|رابط",
    ),
    (
        NameCue,
        "name|my name is|my name's|the name is|name is|name's|under the name|under the name of|in the name of|name of|for the name|i am called|atas nama|a/n|a.n.|an.|nama|nama saya|namanya|namaku|nama penerima|penerima|a nombre de|nombre|mi nombre es|me llamo|nombre de|a nome de|em nome de|no nome de|nome|meu nome é|meu nome e|me chamo|mon nom est|je m'appelle|au nom de|nom|prénom|mein name ist|ich heiße|ich heisse|auf den namen|name ist|auf namen|الاسم|اسمي|إسمي|باسم|بإسم|اسم",
    ),
    (
        NameHint,
        "under|booked for|i'm|im|i am|this is|it's|known as|call me|soy|aquí|habla|sou|aqui é|é|c'est|je suis|ich bin|hier ist|ini|saya|انا|أنا|معك|for|thanks|thank you|regards|cheers|makasih|gracias|obrigado|obrigada|merci|danke|شكرا",
    ),
    (
        Honorific,
        "mr|mrs|ms|miss|dr|pak|bu|ibu|bapak|mas|mbak|kak|sr|sra|señor|señora|dona|seu|herr|frau|monsieur|madame|ustaz|ustadz|ابو|أبو|ام|د|عبد",
    ),
    (
        PhoneCue,
        "phone|phone number|my number|number is|my number is|cell|mobile|tel|telephone|call me at|whatsapp|wa|hp|no hp|nomor|nomer|no wa|telp|telpon|telepon|nomor hp|telefon|teléfono|telefono|celular|cel|móvil|movil|mi número|número|telefone|fone|zap|contato|téléphone|portable|mon numéro|numéro|handy|telefonnummer|nummer|handynummer|رقمي|رقم|جوال|جوالي|موبايل|موبايلي|تلفون|هاتف|تليفون|no tel|no telp|nombor",
    ),
    (
        AddressCue,
        "address|my address|my address is|address is|alamat|alamatnya|alamat saya|dirección|direccion|mi dirección|endereço|endereco|meu endereço|adresse|mon adresse|lieferadresse|meine adresse|العنوان|عنواني|عنوان|i live at|i live in|ke rumah|rumah",
    ),
    (
        StreetFirst,
        "jl|jln|jalan|gang|gg|perum|perumahan|komplek|kompleks|komp|apartemen|apartment|flat|kampung|kp|desa|dusun|lorong|taman|ruko|kost|lot|kav|blok\
         |calle|c/|avenida|av|avda|carrera|cra|plaza|paseo|colonia|col|calzada|blvd|boulevard|carretera|camino|travesía|urbanización|pasaje\
         |rua|r.|travessa|praça|praca|alameda|rodovia|estrada|largo|quadra|conjunto|condomínio|avenida\
         |rue|avenue|allée|chemin|impasse|quai|bd|route de\
         |شارع|حي|طريق|ش|عمارة|شقة|منطقة|برج|ميدان|كمباوند",
    ),
    (
        StreetLast,
        "street|st|road|rd|avenue|ave|lane|ln|drive|dr|court|ct|boulevard|blvd|close|crescent|terrace|way|square|sq|place|pl|view|hill|park|gardens|row|mews|highway|parkway|str|strasse|straße|weg|platz|allee|gasse|ring|damm|ufer",
    ),
    (
        ClockCue,
        "at|around|about|by|from|till|until|before|after|for|jam|pukul|pkl|jm|a las|a la|las|sobre las|às|as|lá pelas|pelas|umas|à|vers|um|gegen|ab|الساعة|الساعه|ساعة|kul|around about",
    ),
    (
        DayPart,
        "am|pm|a.m|p.m|a.m.|p.m.|in the morning|in the evening|in the afternoon|at night|tonight|o'clock|oclock|o clock|this evening|ish|pagi|siang|sore|malam|petang|tengah hari|wib|wita|wit|malem\
         |de la mañana|de la tarde|de la noche|de la madrugada|en punto|y media|y cuarto|hs|horas|da manhã|da tarde|da noite|e meia|h|hrs|em ponto\
         |du matin|du soir|de l'après-midi|heures|heure|uhr|morgens|abends|nachmittags|früh|mittags\
         |صباحا|مساء|الصبح|العصر|الظهر|المغرب|ليلا|بالليل|المساء|ص|م",
    ),
    (
        Moment,
        "noon|midday|midnight|lunchtime|mediodía|mediodia|al mediodía|meio-dia|meio dia|midi|minuit|mittag|mitternacht|de manhã|de tarde|de noite|tonight|this evening|this afternoon|this morning|nanti malam|nanti sore|nanti siang|esta noche|esta tarde|hoje à noite|hoje a noite|ce soir|heute abend|الليلة|asap|right now|straight away|secepatnya",
    ),
    (
        Day,
        "today|tomorrow|tmr|tmrw|tomorow|day after tomorrow|the day after tomorrow|monday|tuesday|wednesday|thursday|friday|saturday|sunday|mon|tue|tues|wed|thu|thurs|fri|sat|sun|weekend\
         |hari ini|besok|bsk|besuk|lusa|senin|selasa|rabu|kamis|jumat|jum'at|sabtu|minggu|hari minggu|esok|isnin|khamis|jumaat|ahad\
         |hoy|mañana|pasado mañana|lunes|martes|miércoles|jueves|viernes|sábado|domingo\
         |hoje|amanhã|amanha|depois de amanhã|segunda-feira|terça|terça-feira|quarta-feira|quinta|quinta-feira|sexta|sexta-feira\
         |aujourd'hui|demain|après-demain|lundi|mardi|mercredi|jeudi|vendredi|samedi|dimanche\
         |heute|morgen|übermorgen|montag|dienstag|mittwoch|donnerstag|freitag|samstag|sonntag\
         |اليوم|بكرة|بكره|بكرا|غدا|بعد بكرة|بعد غد|الاحد|الاثنين|الثلاثاء|الاربعاء|الخميس|الجمعة|السبت|الحد|الأحد|النهاردة",
    ),
    (
        Month,
        "january|february|march|april|may|june|july|august|september|october|november|december|jan|feb|mar|apr|jun|jul|aug|sep|sept|oct|nov|dec|januari|februari|maret|mei|juni|juli|agustus|oktober|desember|enero|febrero|marzo|abril|mayo|junio|julio|agosto|septiembre|octubre|noviembre|diciembre|janeiro|fevereiro|março|maio|junho|julho|setembro|outubro|novembro|dezembro|janvier|février|mars|avril|mai|juin|juillet|août|septembre|octobre|novembre|décembre|januar|februar|märz|dezember|يناير|فبراير|مارس|ابريل|مايو|يونيو|يوليو|اغسطس|سبتمبر|اكتوبر|نوفمبر|ديسمبر",
    ),
    (DayLead, "next|this|coming|hari|el|este|próximo|proximo|la|próxima|na|no|nächsten|diesen|kommenden|ce|يوم|prochain"),
    (
        People,
        "people|persons|person|guests|guest|adults|adult|kids|children|child|of us|orang|personas|pessoas|personnes|personen|leute|اشخاص|أشخاص|شخص|seats|others|friends|patrons|men|women|diners|folks|individuals",
    ),
];
