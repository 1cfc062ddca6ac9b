//! A channel whose webhooks are orders: the body says what it gives back, good or odd.

wit_bindgen::generate!({ path: "../../../sdk/wit/v0.1.0", world: "channel" });

use exports::pointsman::plugin::adapter::{Account, Answer, Exchange, Guest, Job, Operation, Outcome, Reception, Turn, Webhook};
use pointsman::plugin::types::{
    Body, Credential, Event, EventBody, Failure, Fault, Header, HttpRequest, HttpResponse, Message, Method, Person, Placement,
};

struct Odd;

export!(Odd);

fn event(n: usize) -> Event {
    Event {
        dedupe_key: format!("event-{n}"),
        account: None,
        thread: Some("peer-1".to_owned()),
        sender: Some(Person {
            id: "peer-1".to_owned(),
            name: Some("Ana".to_owned()),
            username: None,
            language: None,
            automated: false,
            extra: Some("{\"alt_ids\":[\"x\"]}".to_owned()),
        }),
        at: 5,
        trigger: true,
        body: EventBody::Message(Message {
            id: Some(format!("m{n}")),
            text: Some("hello".to_owned()),
            attachments: vec![],
            choices: vec![],
            reply_to: None,
            extra: None,
        }),
        extra: None,
    }
}

impl Guest for Odd {
    fn parse(webhook: Webhook, account: Account) -> Result<Reception, String> {
        let body = String::from_utf8(webhook.body).map_err(|_| "these bytes are no text\n".to_owned())?;
        let (order, count) = body.split_once(' ').unwrap_or((&body, "1"));
        let count: usize = count.trim().parse().unwrap_or(1);
        let mut events: Vec<Event> = (0..count).map(event).collect();
        match order {
            "events" => {}
            "spin" => loop {
                std::hint::black_box(0);
            },
            "long-key" => events[0].dedupe_key = "k".repeat(257),
            "no-key" => events[0].dedupe_key.clear(),
            "bad-json" => events[0].extra = Some("{\"a\":1,\"a\":2}".to_owned()),
            "answer" => {
                let headers = vec![Header { name: "x-account".to_owned(), value: account.id }];
                return Ok(Reception { events, answer: Some(Answer { status: 201, headers, body: webhook.path.into_bytes() }) });
            }
            _ => return Err("this is not from my provider".to_owned()),
        }
        Ok(Reception { events, answer: None })
    }

    fn begin(job: Job) -> Turn {
        let Operation::Send(message) = job.operation else {
            return Turn::Failed(Failure {
                fault: Fault::Unsupported,
                code: "no".to_owned(),
                message: "only messages".to_owned(),
                retry_after: None,
            });
        };
        Turn::Exchange(Exchange {
            request: HttpRequest {
                method: Method::Post,
                url: "https://api.example.com/send".to_owned(),
                headers: vec![Header { name: "content-type".to_owned(), value: "text/plain".to_owned() }],
                body: Body::Bytes(message.text.unwrap_or_default().into_bytes()),
                credentials: vec![Credential { slot: "token".to_owned(), place: Placement::Bearer }],
                keep_body: false,
                timeout: Some(3_000),
            },
            state: job.peer.map(|peer| peer.thread).unwrap_or_default(),
            repeatable: job.attempt > 1,
        })
    }

    fn advance(_: Job, state: String, response: HttpResponse) -> Turn {
        Turn::Done(Outcome::Created(vec![format!("{state}/{}/{}", response.status, response.body.len())]))
    }
}
