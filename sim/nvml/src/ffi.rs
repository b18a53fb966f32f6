//! The C library: NVML functions over the shared state.
//!
//! ```text
//!   C caller ─► export!                   ─► session::on_gpu                    ─► the function's own line
//!               pointers become Ptr<T>,      initialised? driver there? handle?
//!               a panic becomes UNKNOWN      hung, blocked, slow, lost, reset required?
//! ```
//!
//! Bodies return `Result<(), Refusal>`. Raw memory is touched in [`edge`] alone; where a body says `unsafe`,
//! it passes on what the caller has said about its own arguments.

#![allow(unsafe_code, reason = "C callers need unmangled names and hand in raw pointers")]

mod clocks;
mod device;
mod device_file;
mod ecc;
mod edge;
mod events;
mod fields;
mod handles;
mod health;
mod mig;
mod power;
mod profiles;
mod refusal;
mod sensors;
mod session;
mod smoothing;
mod system;
mod thermal;
mod units;

/// Declares NVML functions with the C signatures of `nvml-wrapper-sys`.
///
/// Inside a body, each argument has passed [`edge::Argument`]: a pointer is a [`edge::Ptr`]. The assignment
/// below each function does nothing but fail to compile when the signature is not the header's.
macro_rules! export {
    ($($(#[$doc:meta])* fn $name:ident($($argument:ident: $kind:ty),* $(,)?) $body:block)*) => {$(
        $(#[$doc])*
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $name($($argument: $kind),*) -> nvml_wrapper_sys::bindings::nvmlReturn_t {
            $(
                // SAFETY: the caller passes what nvml.h asks of this argument.
                let $argument = unsafe { $crate::ffi::edge::Argument::receive($argument) };
            )*
            $crate::ffi::edge::guarded(move || $body)
        }

        const _: fn(&mut nvml_wrapper_sys::bindings::NvmlLib) = |header| header.$name = Ok($name);
    )*};
}

/// Declares functions that older programs know under another name.
macro_rules! older_name {
    ($($old:ident = $new:ident($($argument:ident: $kind:ty),*);)*) => {$(
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $old($($argument: $kind),*) -> nvml_wrapper_sys::bindings::nvmlReturn_t {
            // SAFETY: the two take the same arguments.
            unsafe { $new($($argument),*) }
        }
    )*};
}

use {export, older_name};
