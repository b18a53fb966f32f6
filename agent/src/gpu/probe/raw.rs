//! The C edge of the probe: reads through the library's own symbols, and nothing but reads.
//!
//! ```text
//!   symbol ── missing ──► code 13          call ──► return code ── 0 ──► value
//!      └──── there ────►                                  └─ other ──► code, as the driver gave it
//! ```
//!
//! Types come from the header's bindings, so a call of another shape does not compile. Whoever asks hands in a getter's
//! symbol; each writes to what its last arguments point to, and to nothing else.

#![expect(unsafe_code, reason = "C functions through nvml-wrapper's symbol table")]

use std::ffi::{CStr, c_char, c_int, c_uint, c_ulonglong};
use std::ptr;

use nvml_wrapper::Nvml;
use nvml_wrapper_sys::bindings::{
    NvmlLib, nvmlDevice_t, nvmlFieldValue_t, nvmlReturn_t, nvmlValue_t,
    nvmlValueType_enum_NVML_VALUE_TYPE_DOUBLE as DOUBLE,
    nvmlValueType_enum_NVML_VALUE_TYPE_SIGNED_INT as SIGNED_INT,
    nvmlValueType_enum_NVML_VALUE_TYPE_SIGNED_LONG_LONG as SIGNED_LONG_LONG,
    nvmlValueType_enum_NVML_VALUE_TYPE_UNSIGNED_INT as UNSIGNED_INT,
    nvmlValueType_enum_NVML_VALUE_TYPE_UNSIGNED_LONG as UNSIGNED_LONG,
    nvmlValueType_enum_NVML_VALUE_TYPE_UNSIGNED_LONG_LONG as UNSIGNED_LONG_LONG,
    nvmlValueType_enum_NVML_VALUE_TYPE_UNSIGNED_SHORT as UNSIGNED_SHORT,
};

/// What a call gives: a value, or the driver's return code.
pub(super) type Told<T> = Result<T, nvmlReturn_t>;

/// The driver's code for a function that it does not have; ours for a symbol that is missing.
pub(super) const FUNCTION_NOT_FOUND: nvmlReturn_t = 13;

/// Longest text of a device, in bytes: the header's largest buffer is 96.
const LONGEST_TEXT: usize = 128;
/// Longest list of clocks (estimate; data centre parts have some hundred).
const LONGEST_LIST: usize = 1024;

/// A getter with one result.
pub(super) type Getter<T> = unsafe extern "C" fn(nvmlDevice_t, *mut T) -> nvmlReturn_t;
/// A getter that is told which.
pub(super) type GetterOf<T> = unsafe extern "C" fn(nvmlDevice_t, c_uint, *mut T) -> nvmlReturn_t;
/// A getter that is told which of which.
pub(super) type GetterOf2<T> = unsafe extern "C" fn(nvmlDevice_t, c_uint, c_uint, *mut T) -> nvmlReturn_t;
/// A getter with two results.
pub(super) type PairGetter = unsafe extern "C" fn(nvmlDevice_t, *mut c_uint, *mut c_uint) -> nvmlReturn_t;
/// A getter of a text.
pub(super) type TextGetter = unsafe extern "C" fn(nvmlDevice_t, *mut c_char, c_uint) -> nvmlReturn_t;

/// One GPU, on the thread that asked for it.
pub(super) struct Handle {
    device: nvmlDevice_t,
    lib: &'static NvmlLib,
}

/// One field as the driver answered it.
#[derive(Clone, Copy, Debug)]
pub(super) struct FieldAnswer {
    pub(super) rc: nvmlReturn_t,
    pub(super) value_type: c_uint,
    /// Read as the type says; absent where there is none or it is no whole number.
    pub(super) value: Option<i64>,
}

/// Whether the library has a function of this name.
pub(super) fn has_symbol(nvml: &Nvml, name: &str) -> bool {
    let name = [name.as_bytes(), b"\0"].concat();
    // SAFETY: the symbol is only looked for, never called, and all that is asked of this type is to be a pointer.
    unsafe { nvml.lib().__library.get::<unsafe extern "C" fn()>(&name) }.is_ok()
}

/// Ends the process without running anybody's exit handlers: a thread that hangs in the driver may hold what they need.
pub(super) fn leave(code: c_int) -> ! {
    // SAFETY: has no preconditions; all output has been flushed by the caller.
    unsafe { nix::libc::_exit(code) }
}

fn given<F: Copy, E>(call: &Result<F, E>) -> Told<F> {
    call.as_ref().copied().map_err(|_| FUNCTION_NOT_FOUND)
}

fn judged<T>(rc: nvmlReturn_t, value: T) -> Told<T> {
    if rc == 0 { Ok(value) } else { Err(rc) }
}

impl Handle {
    /// The GPU of this index.
    pub(super) fn open(nvml: &'static Nvml, index: u32) -> Told<Self> {
        let lib = nvml.lib();
        let call = given(&lib.nvmlDeviceGetHandleByIndex_v2)?;
        let mut device = ptr::null_mut();
        // SAFETY: the symbol has this signature by the header; `device` is the handle that it writes.
        let rc = unsafe { call(index, &raw mut device) };
        judged(rc, Self { device, lib })
    }

    /// The library's symbols.
    pub(super) const fn lib(&self) -> &'static NvmlLib {
        self.lib
    }

    /// One result, which starts as `value`: zero, or a structure that states its version.
    pub(super) fn get<T, E>(&self, call: &Result<Getter<T>, E>, mut value: T) -> Told<T> {
        let call = given(call)?;
        // SAFETY: the symbol has this signature by the header, the handle belongs to the library, which is never
        // unloaded, and `value` is the one thing of its type that it writes, alive for the call.
        let rc = unsafe { call(self.device, &raw mut value) };
        judged(rc, value)
    }

    /// As [`get`](Self::get), for the one that `which` names.
    pub(super) fn get_of<T, E>(&self, call: &Result<GetterOf<T>, E>, which: u32, mut value: T) -> Told<T> {
        let call = given(call)?;
        // SAFETY: as in `get`.
        let rc = unsafe { call(self.device, which, &raw mut value) };
        judged(rc, value)
    }

    /// As [`get`](Self::get), for the one that both name.
    pub(super) fn get_of2<T, E>(
        &self,
        call: &Result<GetterOf2<T>, E>,
        which: (u32, u32),
        mut value: T,
    ) -> Told<T> {
        let call = given(call)?;
        // SAFETY: as in `get`.
        let rc = unsafe { call(self.device, which.0, which.1, &raw mut value) };
        judged(rc, value)
    }

    /// Two results.
    pub(super) fn pair<E>(&self, call: &Result<PairGetter, E>) -> Told<[u32; 2]> {
        let call = given(call)?;
        let (mut first, mut second) = (0, 0);
        // SAFETY: as in `get`, with two numbers.
        let rc = unsafe { call(self.device, &raw mut first, &raw mut second) };
        judged(rc, [first, second])
    }

    /// A text.
    pub(super) fn text<E>(&self, call: &Result<TextGetter, E>) -> Told<String> {
        let call = given(call)?;
        let mut buffer = [0; LONGEST_TEXT];
        let length = c_uint::try_from(LONGEST_TEXT).unwrap_or(0);
        // SAFETY: as in `get`; the buffer has the length that is given.
        let rc = unsafe { call(self.device, buffer.as_mut_ptr(), length) };
        judged(rc, text(&buffer))
    }

    /// Rows that memory repair has replaced: for corrected errors, for uncorrected ones, pending, failed.
    pub(super) fn remapped_rows(&self) -> Told<[u32; 4]> {
        let call = given(&self.lib.nvmlDeviceGetRemappedRows)?;
        let [mut corrected, mut uncorrected, mut pending, mut failed] = [0; 4];
        // SAFETY: as in `get`, with four numbers.
        let rc = unsafe {
            call(self.device, &raw mut corrected, &raw mut uncorrected, &raw mut pending, &raw mut failed)
        };
        judged(rc, [corrected, uncorrected, pending, failed])
    }

    /// Memory clocks that there are, MHz.
    pub(super) fn memory_clocks(&self) -> Told<Vec<u32>> {
        self.list(&self.lib.nvmlDeviceGetSupportedMemoryClocks)
    }

    fn list<E>(&self, call: &Result<PairGetter, E>) -> Told<Vec<u32>> {
        let call = given(call)?;
        let (mut list, mut count) = (vec![0; LONGEST_LIST], c_uint::try_from(LONGEST_LIST).unwrap_or(0));
        // SAFETY: as in `get`; `count` says how many numbers the list has room for.
        let rc = unsafe { call(self.device, &raw mut count, list.as_mut_ptr()) };
        list.truncate(usize::try_from(count).unwrap_or(0));
        judged(rc, list)
    }

    /// Graphics clocks that go with a memory clock, MHz.
    pub(super) fn graphics_clocks(&self, memory_mhz: u32) -> Told<Vec<u32>> {
        let call = given(&self.lib.nvmlDeviceGetSupportedGraphicsClocks)?;
        let (mut list, mut count) = (vec![0; LONGEST_LIST], c_uint::try_from(LONGEST_LIST).unwrap_or(0));
        // SAFETY: as in `list`.
        let rc = unsafe { call(self.device, memory_mhz, &raw mut count, list.as_mut_ptr()) };
        list.truncate(usize::try_from(count).unwrap_or(0));
        judged(rc, list)
    }

    /// Several fields, each an id and a scope, in one call.
    pub(super) fn fields(&self, asked: &[(u32, u32)]) -> Told<Vec<FieldAnswer>> {
        let call = given(&self.lib.nvmlDeviceGetFieldValues)?;
        let mut values: Vec<_> = asked
            .iter()
            .map(|(id, scope)| nvmlFieldValue_t {
                fieldId: *id,
                scopeId: *scope,
                timestamp: 0,
                latencyUsec: 0,
                valueType: 0,
                nvmlReturn: 0,
                value: nvmlValue_t { ullVal: 0 },
            })
            .collect();
        let count = c_int::try_from(values.len()).unwrap_or(0);
        // SAFETY: as in `get`; `values` holds exactly `count` structures for the call to fill in.
        let rc = unsafe { call(self.device, count, values.as_mut_ptr()) };
        judged(rc, values.iter().map(answer).collect())
    }
}

fn answer(field: &nvmlFieldValue_t) -> FieldAnswer {
    let value = if field.nvmlReturn == 0 { whole(field) } else { None };
    FieldAnswer { rc: field.nvmlReturn, value_type: field.valueType, value }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "`as` saturates, and what is no whole number is shown as none"
)]
fn whole(field: &nvmlFieldValue_t) -> Option<i64> {
    // SAFETY: every member of the union is plain numbers within its eight bytes, all of which are initialised.
    unsafe {
        match field.valueType {
            DOUBLE => Some(field.value.dVal).filter(|value| value.fract() == 0.0).map(|value| value as i64),
            UNSIGNED_INT => Some(field.value.uiVal.into()),
            UNSIGNED_SHORT => Some(field.value.usVal.into()),
            SIGNED_INT => Some(field.value.siVal.into()),
            SIGNED_LONG_LONG => Some(field.value.sllVal),
            UNSIGNED_LONG | UNSIGNED_LONG_LONG => i64::try_from(c_ulonglong::from(field.value.ullVal)).ok(),
            _ => None,
        }
    }
}

/// A text in a buffer, up to its final zero.
pub(super) fn text(buffer: &[c_char]) -> String {
    let bytes: Vec<u8> = buffer.iter().map(|letter| letter.cast_unsigned()).collect();
    CStr::from_bytes_until_nul(&bytes).map(|text| text.to_string_lossy().into_owned()).unwrap_or_default()
}

/// A structure states its own size and version.
pub(super) fn version<T>(number: u32) -> u32 {
    u32::try_from(size_of::<T>()).unwrap_or(0) | number << 24
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(value_type: u32, rc: u32, value: nvmlValue_t) -> nvmlFieldValue_t {
        nvmlFieldValue_t {
            fieldId: 193,
            scopeId: 0,
            timestamp: 0,
            latencyUsec: 0,
            valueType: value_type,
            nvmlReturn: rc,
            value,
        }
    }

    #[test]
    fn a_field_is_read_as_its_type_says_and_not_at_all_after_an_error() {
        assert_eq!(answer(&field(SIGNED_INT, 0, nvmlValue_t { siVal: -8 })).value, Some(-8));
        assert_eq!(answer(&field(DOUBLE, 0, nvmlValue_t { dVal: 48.0 })).value, Some(48));
        assert_eq!(answer(&field(99, 0, nvmlValue_t { ullVal: 7 })).value, None);
        assert_eq!(answer(&field(UNSIGNED_INT, 3, nvmlValue_t { uiVal: 7 })).value, None);
    }

    #[test]
    fn a_text_without_its_final_zero_is_none() {
        assert_eq!(text(&[65, 66, 0, 67]), "AB");
        assert_eq!(text(&[65, 66]), "");
    }
}
