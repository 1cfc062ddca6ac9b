//! The contract (`sdk/wit`) as the host sees it: generated, one module a world. The world `script` is generated first and
//! owns the shared types; the others take them from it, so that an `Event` is one type everywhere.
//!
//! Only what may wait (requests, questions to models, and reads of the conversation, the state and the knowledge) is asynchronous: any
//! other import is an ordinary call.

pub(crate) mod convert;

pub(crate) mod script {
    wasmtime::component::bindgen!({
        path: "../../sdk/wit/v0.1.0",
        world: "script",
        imports: {
            "pointsman:plugin/conversation.get": async | trappable,
            "pointsman:plugin/conversation.history": async | trappable,
            "pointsman:plugin/state.get": async | trappable,
            "pointsman:plugin/state.add": async | trappable,
            "pointsman:plugin/knowledge.search": async | trappable,
            "pointsman:plugin/http.send": async | trappable,
            "pointsman:plugin/model.chat": async | trappable,
            "pointsman:plugin/model.embed": async | trappable,
            default: trappable,
        },
        exports: { default: async },
        require_store_data_send: true,
    });
}

pub(crate) mod step {
    wasmtime::component::bindgen!({
        path: "../../sdk/wit/v0.1.0",
        world: "step",
        imports: { default: trappable },
        exports: { default: async },
        require_store_data_send: true,
        with: {
            "pointsman:plugin/types": crate::world::script::pointsman::plugin::types,
            "pointsman:plugin/journal": crate::world::script::pointsman::plugin::journal,
            "pointsman:plugin/log": crate::world::script::pointsman::plugin::log,
            "pointsman:plugin/conversation": crate::world::script::pointsman::plugin::conversation,
            "pointsman:plugin/state": crate::world::script::pointsman::plugin::state,
            "pointsman:plugin/knowledge": crate::world::script::pointsman::plugin::knowledge,
            "pointsman:plugin/model": crate::world::script::pointsman::plugin::model,
            "pointsman:plugin/http": crate::world::script::pointsman::plugin::http,
            "pointsman:plugin/act": crate::world::script::pointsman::plugin::act,
            "pointsman:plugin/clock": crate::world::script::pointsman::plugin::clock,
            "pointsman:plugin/random": crate::world::script::pointsman::plugin::random,
        },
    });
}

pub(crate) mod channel {
    wasmtime::component::bindgen!({
        path: "../../sdk/wit/v0.1.0",
        world: "channel",
        imports: { default: trappable },
        exports: { default: async },
        require_store_data_send: true,
        with: {
            "pointsman:plugin/types": crate::world::script::pointsman::plugin::types,
            "pointsman:plugin/log": crate::world::script::pointsman::plugin::log,
        },
    });
}

pub(crate) use channel::exports::pointsman::plugin::adapter;
pub(crate) use script::pointsman::plugin::{
    act, clock, conversation, http, journal, knowledge, log, model, random, state, types,
};
