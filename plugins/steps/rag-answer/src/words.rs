//! What the step says itself, in the language of whoever asked.

use whatlang::{Detector, Lang};

/// A language: its code, what is said before the nearest passage, and what is said where there is none.
type Row = (&'static str, Option<Lang>, &'static str, &'static str);

const LANGUAGES: [Row; 8] = [
    (
        "en",
        Some(Lang::Eng),
        "I am not sure that this is what you mean:",
        "I do not know that yet. One of us will get back to you.",
    ),
    (
        "id",
        Some(Lang::Ind),
        "Saya belum yakin apakah ini yang Anda maksud:",
        "Saya belum tahu jawabannya. Tim kami akan menghubungi Anda.",
    ),
    (
        "ms",
        None,
        "Saya tidak pasti sama ada ini yang anda maksudkan:",
        "Saya belum tahu jawapannya. Pasukan kami akan menghubungi anda.",
    ),
    ("ar", Some(Lang::Ara), "لست متأكدا من أن هذا ما تقصده:", "لا أعرف ذلك بعد. سيعود إليك أحد من فريقنا."),
    (
        "pt",
        Some(Lang::Por),
        "Não tenho certeza se é isto que você procura:",
        "Ainda não sei responder. Alguém da equipe vai falar com você.",
    ),
    (
        "es",
        Some(Lang::Spa),
        "No estoy seguro de que sea esto lo que busca:",
        "Todavía no lo sé. Alguien del equipo le responderá.",
    ),
    (
        "de",
        Some(Lang::Deu),
        "Ich bin nicht sicher, ob Sie das meinen:",
        "Das weiß ich noch nicht. Jemand von uns meldet sich bei Ihnen.",
    ),
    (
        "fr",
        Some(Lang::Fra),
        "Je ne suis pas sûr que ce soit ce que vous cherchez :",
        "Je ne le sais pas encore. Quelqu'un de l'équipe vous répondra.",
    ),
];

/// A language that can be asked for, by its code.
pub(crate) fn known(code: &str) -> Option<&'static str> {
    let code = code.split(['-', '_']).next().unwrap_or_default();
    LANGUAGES.iter().map(|row| row.0).find(|known| known.eq_ignore_ascii_case(code))
}

/// Small words by which a short question is told: few of them stand in two of the languages.
const TELLING: [(&str, &str); 7] = [
    ("en", "the is are do does can you your my i when where what how much which it this have has there to of and in for with"),
    (
        "id",
        "apa apakah kapan di mana dimana bagaimana berapa siapa yang saya kami anda kamu bisa boleh ada ini itu dengan untuk dan dari ke sudah tidak",
    ),
    ("ar", "ما ماذا متى أين اين كيف كم هل من في على إلى الى عن مع هذا هذه لا نعم هو هي أنا انا عندكم لديكم"),
    (
        "pt",
        "o os um uma não nao qual quais quando onde como quanto vocês voces você voce tem é são posso meu minha com para em do da eu",
    ),
    (
        "es",
        "el los una qué cuál cual cuándo cuando dónde donde cómo cuánto cuanto cuesta tienen tiene puedo hay su mi con para del la es son ustedes",
    ),
    (
        "de",
        "der die das ist sind wann wo was wie viel wer kann ich ihr sie wir haben hat gibt es ein eine mein und mit für nicht zu",
    ),
    (
        "fr",
        "le les est sont quand où quel quelle quels combien comment vous avez je puis peut mon ma une des du et avec pour pas ce il y",
    ),
];

/// The language of a text: by its small words, else by its letters; English where nothing speaks for another. Malay is taken for
/// Indonesian: no few words tell them apart.
pub(crate) fn of(text: &str) -> &'static str {
    let lower = text.to_lowercase();
    let words: Vec<&str> = lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let votes = |list: &str| words.iter().filter(|word| list.split(' ').any(|telling| telling == **word)).count();
    let counted: Vec<(&'static str, usize)> = TELLING.iter().map(|(code, list)| (*code, votes(list))).collect();
    let most = counted.iter().map(|(_, count)| *count).max().unwrap_or_default();
    let mut leading = counted.iter().filter(|(_, count)| *count == most && most > 0).map(|(code, _)| *code);
    if let (Some(one), None) = (leading.next(), leading.next()) {
        return one;
    }
    let detector = Detector::with_allowlist(LANGUAGES.iter().filter_map(|row| row.1).collect());
    let told = detector.detect(text).filter(|told| told.confidence() >= 0.5).map(|told| told.lang());
    LANGUAGES.iter().find(|row| told.is_some() && row.1 == told).map_or("en", |row| row.0)
}

/// What a person could send who has no better answer.
pub(crate) fn unsure(language: &str, nearest: Option<&str>) -> String {
    let (_, _, before, nothing) = LANGUAGES.iter().find(|row| row.0 == language).unwrap_or(&LANGUAGES[0]);
    nearest.map_or_else(|| (*nothing).to_owned(), |nearest| format!("{before} {nearest}"))
}
