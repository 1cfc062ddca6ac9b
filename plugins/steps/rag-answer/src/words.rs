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

/// The language of a text; English where nothing speaks for another. Malay is taken for Indonesian: no few words tell them apart.
pub(crate) fn of(text: &str) -> &'static str {
    let told = Detector::with_allowlist(LANGUAGES.iter().filter_map(|row| row.1).collect()).detect_lang(text);
    LANGUAGES.iter().find(|row| told.is_some() && row.1 == told).map_or("en", |row| row.0)
}

/// What a person could send who has no better answer.
pub(crate) fn unsure(language: &str, nearest: Option<&str>) -> String {
    let (_, _, before, nothing) = LANGUAGES.iter().find(|row| row.0 == language).unwrap_or(&LANGUAGES[0]);
    nearest.map_or_else(|| (*nothing).to_owned(), |nearest| format!("{before} {nearest}"))
}
