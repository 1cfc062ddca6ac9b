//! Numbers and units.

use crate::lexicon::Tag::{self, AndHalf, Article, Half, Num, Quarter, Teen, Times};
use crate::lexicon::Unit::{Gram, Kilo, Litre, Millilitre, Piece};

pub(super) const TABLE: &[(Tag, &str)] = &[
    (Article, "a|an|un|una|uma|um|une|ein|eine|einen|einem|einer|seorang"),
    (
        Num(1000),
        "one|satu|1x|seporsi|sebungkus|sebuah|sepotong|sebotol|sekotak|segelas|semangkok|sepiring|sebiji|uno|hum|eins|واحد|واحدة|وحدة|وحده|حبة|une seule|só um|satu porsi",
    ),
    (
        Num(2000),
        "two|dua|dos|dois|duas|deux|zwei|zwo|اثنين|اتنين|اثنان|تنين|ثنين|اثنتين|couple|a couple of|couple of|a pair of|sepasang|un par de|par de|um par de|tweed|duo|2x|حبتين|both",
    ),
    (Num(3000), "three|tiga|tres|três|trois|drei|ثلاثة|ثلاث|تلاتة|تلات|ثلاثه"),
    (Num(4000), "four|empat|cuatro|quatro|quatre|vier|اربعة|اربع|أربعة|أربع"),
    (Num(5000), "five|lima|cinco|cinq|fünf|fuenf|خمسة|خمس"),
    (Num(6000), "six|enam|seis|sechs|ستة|ست"),
    (Num(7000), "seven|tujuh|siete|sete|sept|sieben|سبعة|سبع"),
    (Num(8000), "eight|delapan|lapan|ocho|oito|huit|acht|ثمانية|ثمان|تمانية|تمن|ثماني"),
    (Num(9000), "nine|sembilan|nueve|nove|neuf|neun|تسعة|تسع"),
    (Num(10_000), "ten|sepuluh|diez|dez|dix|zehn|عشرة|عشر"),
    (Num(11_000), "eleven|sebelas|once|onze|elf|احدعش|حداشر|أحد عشر"),
    (Num(12_000), "twelve|doce|doze|douze|zwölf|اثنا عشر|اطنعش|اتناشر"),
    (Num(13_000), "thirteen|trece|treze|treize|dreizehn"),
    (Num(14_000), "fourteen|catorce|catorze|quatorze|vierzehn"),
    (Num(15_000), "fifteen|quince|quinze|fünfzehn|خمسة عشر|خمستاشر|خمسطعش"),
    (Num(16_000), "sixteen|dieciseis|dezesseis|seize|sechzehn"),
    (Num(17_000), "seventeen|diecisiete|dezessete|siebzehn"),
    (Num(18_000), "eighteen|dieciocho|dezoito|achtzehn"),
    (Num(19_000), "nineteen|diecinueve|dezenove|neunzehn"),
    (Num(20_000), "twenty|veinte|vinte|vingt|zwanzig|عشرين|عشرون"),
    (Num(30_000), "thirty|treinta|trinta|trente|dreißig|ثلاثين|تلاتين"),
    (Num(40_000), "forty|cuarenta|quarenta|quarante|vierzig|اربعين|أربعين"),
    (Num(50_000), "fifty|cincuenta|cinquenta|cinquante|fünfzig|خمسين"),
    (Num(100_000), "hundred|a hundred|seratus|cien|cem|cent|hundert|مية|مئة|ميه|ciento|cento|um cento de|um cento"),
    (Times(10_000), "puluh"),
    (Times(100_000), "ratus"),
    (Teen, "belas"),
    (Times(12_000), "dozen|dozens|dz|doz|lusin|dúzia|duzia|dúzias|docena|docenas|douzaine|douzaines|dutzend|درزن|دزينة|دستة"),
    (Num(12_000), "selusin"),
    (
        Half,
        "half|half a|half an|setengah|stengah|1/2|½|meia|meio|media|medio|demi|demie|une demi|halbe|halbes|halber|ein halbes|eine halbe|ein halber|نص|نصف|separuh|separo",
    ),
    (
        Quarter,
        "quarter|a quarter|quarter of a|seperempat|un cuarto|un cuarto de|cuarto de|um quarto de|un quart de|viertel|ein viertel|ربع|suku",
    ),
    (Num(1500), "anderthalb|eineinhalb|satu setengah"),
    (AndHalf, "and a half|y media|y medio|e meia|e meio|et demi|et demie|ونص|و نص|ونصف|einhalb"),
    (Tag::Unit(Kilo), "kg|kgs|kilo|kilos|kilogram|kilograms|quilo|quilos|kilogramo|kilogramos|كيلو|كجم|كغ|كيلوغرام"),
    (Num(1000), "sekilo|seliter"),
    (Tag::Unit(Gram), "g|gr|gram|grams|gramas|gramos|grammes|gramme|gramm|غرام|جرام|جم"),
    (Tag::Unit(Litre), "l|lt|ltr|liter|litre|liters|litres|litro|litros|لتر"),
    (Tag::Unit(Millilitre), "ml|mililiter|mililitros|مل"),
    (
        Tag::Unit(Piece),
        "x|pc|pcs|pieces|piece|pc.|portion|portions|serving|servings|order of|orders of|plates of|plate of|box|boxes|pack|packs|packets|packet|bag|bags|bottle|bottles|cup|cups|glass|glasses|slices|slice|cans|can of|pair|pairs|units|unit|nos\
         |porsi|bungkus|bks|buah|biji|bh|botol|kotak|dus|kardus|sekardus|gelas|mangkok|mangkuk|piring|potong|lembar|helai|pasang|pak|pax|keping|ekor|cawan|pinggan|bekas|tusuk|kantong|sachet|renceng\
         |ración|raciones|racion|orden de|ordenes de|órdenes de|pieza|piezas|caja|cajas|botella|botellas|bolsa|bolsas|paquete|paquetes|lata de|latas de|vaso|vasos|unidades|unidad|par|pares\
         |porção|porções|porçao|unidade|caixa|caixas|garrafa|garrafas|pacote|pacotes|copo|copos|fatia|fatias|pedaço|pedaços\
         |stück|stueck|stk|portion|portionen|flasche|flaschen|mal|packung|packungen|päckchen|becher|tüte|kiste|paar\
         |pièce|pièces|bouteille|bouteilles|boîte|boîtes|boite|paquet|paquets|sachets|part de|parts de|fois|verre de|verres de|assiette de\
         |عدد|حبات|حبه|علبة|علب|قطعة|قطع|صحن|صحون|وجبات|وجبة|كرتون|كيس|طبق|اطباق|بوكس",
    ),
];
