//! The contract as Rust: generated from `sdk/wit`, one module a world. The worlds share their types: the channel world
//! takes them from the step world, so that an `Event` is the same type everywhere.
//!
//! Both worlds live in one crate without meeting in a component: the half that says what a component *exports* is emitted
//! by the export macros, in the plugin's crate, and imports that nobody calls vanish when the component is linked.

/// The world `step`.
pub mod step {
    wit_bindgen::generate!({
        path: "../wit/v0.1.0",
        world: "step",
        pub_export_macro: true,
        export_macro_name: "export_step_world",
        default_bindings_module: "pointsman_sdk::bindings::step",
        additional_derives: [PartialEq],
        generate_unused_types: true,
    });
}

/// The world `channel`.
pub mod channel {
    wit_bindgen::generate!({
        path: "../wit/v0.1.0",
        world: "channel",
        pub_export_macro: true,
        export_macro_name: "export_channel_world",
        default_bindings_module: "pointsman_sdk::bindings::channel",
        additional_derives: [PartialEq],
        with: {
            "pointsman:plugin/types@0.1.0": crate::bindings::step::pointsman::plugin::types,
            "pointsman:plugin/log@0.1.0": crate::bindings::step::pointsman::plugin::log,
        },
    });
}
