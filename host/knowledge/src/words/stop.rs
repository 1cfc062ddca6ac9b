//! Words that only hold sentences together, by language: in a base of ten passages they would weigh as much as any other. Short
//! lists of grammar words and of what people wrap a question in (`I want to know`): a word that a customer could ask about (`open`, `hari`, `mes`) is none. Written down here as they
//! stand after splitting at apostrophes, in lower case.

pub(super) const ENGLISH: &str = "a an the and or but if of at by for with about to from in on into onto as is am are was were be been \
    being do does did done doing have has had having i me my mine we us our ours you your yours he him his she her hers it its they \
    them their theirs this that these those there here what which who whom whose when where why how can could will would shall should \
    may might must not no nor so than too very just also any some s t d ll m re ve don isn aren wasn doesn didn please want need like know tell get let something anything";

pub(super) const MALAY: &str = "yang dan atau tetapi tapi di ke dari daripada pada kepada untuk dengan dalam oleh akan telah sudah belum sedang \
    adalah ialah ini itu tersebut saya aku anda kamu kami kita dia ia mereka nya awak apa apakah siapa mana manakah bagaimana \
    bagaimanakah kapan kapankah bila bilakah mengapa kenapa berapa berapakah apabila jika kalau bisa boleh dapat harus juga lagi saja \
    sahaja pun lah kah tidak tak bukan jangan ada adakah para sebagai seperti karena kerana supaya agar sehingga maka tolong mohon \
    dong sih kok ya yg dgn utk mau ingin minta tahu";

pub(super) const ARABIC: &str = "في من على الى إلى عن مع هذا هذه ذلك تلك الذي التي الذين هو هي هم هن انا أنا نحن انت أنت انتم أنتم ما ماذا متى اين أين \
    كيف لماذا هل كم اي أي او أو و ثم لكن ان أن إن كان كانت يكون تكون قد لا لم لن ليس ليست كل بعض عند عندما قبل بعد حتى لقد منذ بين \
    كما أيضا ايضا فقط به بها له لها لهم فيه فيها منه منها عليه عليها";

pub(super) const PORTUGUESE: &str = "o a os as um uma uns umas e ou mas se de do da dos das em no na nos nas por pelo pela pelos pelas para pra com \
    sem ao aos à às que quem qual quais quando onde como porque quanto quantos é são foi foram ser estar está estão era tem têm ter há eu \
    me meu minha meus minhas tu você vocês ele ela eles elas nós nosso nossa seu sua seus suas este esta isto esse essa isso aquele aquela \
    lhe não nem já também só muito mais posso pode vou vai quero queria preciso saber algo";

pub(super) const SPANISH: &str = "el la los las un una unos unas y e o u pero si de del en por para con sin al a que qué quien quién quienes cual \
    cuál cuáles cuando cuándo donde dónde como cómo porque cuanto cuánto cuántos cuánta cuántas es son fue fueron ser estar está están era \
    eran ha han hay tiene tienen tener yo me mi mis tú tu tus usted ustedes él ella ellos ellas nosotros nuestro nuestra su sus se le les lo \
    este esta esto ese esa eso aquel aquella no ni ya también muy más puedo puede quiero quisiera necesito saber algo";

pub(super) const GERMAN: &str = "der die das den dem des ein eine einen einem einer eines und oder aber wenn falls von vom zu zum zur in im an am auf \
    aus bei beim mit nach für über um als wie was wer wen wem welche welcher welches welchen wann wo warum wieso ist sind war waren sein \
    bin bist wird werden wurde wurden hat haben hatte hatten ich mich mir mein meine meinen du dich dir dein deine er ihn ihm sie es wir \
    uns unser unsere ihr ihre ihren man sich dies diese dieser dieses da dort hier nicht kein keine so auch nur noch schon sehr kann \
    können darf möchte will wissen brauche etwas bitte";

pub(super) const FRENCH: &str = "le la les l un une des d de du et ou mais si en dans par pour avec sans sur à au aux que qu qui quoi quel quelle quels \
    quelles quand où comment pourquoi combien est sont était étaient être êtes suis ai a ont avez avons avoir il elle ils elles on je j me m \
    mon ma mes tu te t ton ta tes vous votre vos nous notre nos se s son sa ses leur leurs ce c cet cette ces cela ça n ne pas ni y aussi \
    très plus puis peut peux veux voudrais savoir besoin";
