//! The border to C: raw arguments in, return codes out, no panic across.

use std::ffi::{CStr, c_char, c_int, c_uint, c_ulonglong};
use std::panic::{AssertUnwindSafe, catch_unwind};

use nvml_wrapper_sys::bindings::{nvmlReturn_enum_NVML_SUCCESS, nvmlReturn_t};

use super::refusal::Refusal;

/// Runs a function's body and turns its outcome, a panic too, into a return code.
pub(super) fn guarded(body: impl FnOnce() -> Result<(), Refusal>) -> nvmlReturn_t {
    // The only state a body can leave half changed is behind the session's lock, where each change is one
    // step.
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(())) => nvmlReturn_enum_NVML_SUCCESS,
        Ok(Err(refusal)) => refusal.code(),
        Err(_panic) => Refusal::Unknown.code(),
    }
}

/// An argument as it comes from C.
pub(super) trait Argument {
    /// What a body works with.
    type Inside;

    /// # Safety
    /// A pointer is null, or points to valid memory of its type that nobody else uses during the call.
    unsafe fn receive(self) -> Self::Inside;
}

/// Numbers pass as they are.
macro_rules! number {
    ($($kind:ty)*) => {$(
        impl Argument for $kind {
            type Inside = Self;

            unsafe fn receive(self) -> Self {
                self
            }
        }
    )*};
}

number!(c_int c_uint c_ulonglong);

impl<T> Argument for *mut T {
    type Inside = Ptr<T>;

    unsafe fn receive(self) -> Ptr<T> {
        Ptr(self)
    }
}

impl Argument for *const c_char {
    type Inside = Text;

    unsafe fn receive(self) -> Text {
        Text(self)
    }
}

/// A pointer from C: null, or good for one `T` to be written. As a handle, only its address counts.
pub(super) struct Ptr<T>(*mut T);

impl<T> Ptr<T> {
    pub(super) fn address(&self) -> usize {
        self.0.addr()
    }

    pub(super) fn is_null(&self) -> bool {
        self.0.is_null()
    }

    /// Hands a result to the caller.
    pub(super) fn put(&self, value: T) -> Result<(), Refusal> {
        if self.0.is_null() {
            return Err(Refusal::InvalidArgument);
        }
        // SAFETY: not null, so by `receive`'s contract good for a `T`.
        unsafe { self.0.write(value) };
        Ok(())
    }

    /// Reads what the caller has filled in.
    ///
    /// # Safety
    /// nvml.h asks callers of this function to fill the argument in.
    pub(super) unsafe fn get(&self) -> Result<T, Refusal>
    where
        T: Copy,
    {
        if self.0.is_null() {
            return Err(Refusal::InvalidArgument);
        }
        // SAFETY: not null, so by `receive`'s contract a `T`; filled in, as this function's caller knows.
        Ok(unsafe { self.0.read() })
    }

    /// Hands over as many results as `values` has.
    ///
    /// # Safety
    /// The C caller has said that it has room for that many.
    pub(super) unsafe fn put_all(&self, values: &[T]) -> Result<(), Refusal>
    where
        T: Copy,
    {
        if self.0.is_null() {
            return Err(Refusal::InvalidArgument);
        }
        // SAFETY: not null, and large enough, as this function's caller knows. `values` is ours, so no
        // overlap.
        unsafe { self.0.copy_from_nonoverlapping(values.as_ptr(), values.len()) };
        Ok(())
    }

    /// The element at `index` of an array.
    ///
    /// # Safety
    /// The pointer is not null, and the C caller has said that the array is longer than `index`.
    pub(super) unsafe fn nth(&self, index: usize) -> Self {
        // SAFETY: inside the caller's array, as this function's caller knows.
        Self(unsafe { self.0.add(index) })
    }
}

/// Writes `text` and its final zero into a caller's buffer.
///
/// # Safety
/// `length` is what the C caller gave as the length of `buffer`.
pub(super) unsafe fn put_text(buffer: &Ptr<c_char>, length: c_uint, text: &str) -> Result<(), Refusal> {
    let bytes: Vec<c_char> = text.bytes().chain([0]).map(u8::cast_signed).collect();
    if usize::try_from(length).is_ok_and(|room| room < bytes.len()) {
        return Err(Refusal::InsufficientSize);
    }
    // SAFETY: the buffer has room for `length`, which is enough.
    unsafe { buffer.put_all(&bytes) }
}

/// Fills a caller's array and tells its length.
///
/// With too little room the caller learns how much is needed, and nothing else; asking with none is how NVML
/// callers find the length out.
///
/// # Safety
/// The C caller has filled in `count` with the length of `array`.
pub(super) unsafe fn put_list<T: Copy>(
    count: &Ptr<c_uint>,
    array: &Ptr<T>,
    values: &[T],
) -> Result<(), Refusal> {
    // SAFETY: filled in, as this function's caller knows.
    let room = unsafe { count.get() }?;
    let needed = c_uint::try_from(values.len()).map_err(|_| Refusal::Unknown)?;
    count.put(needed)?;
    if room < needed {
        return Err(Refusal::InsufficientSize);
    }
    if values.is_empty() {
        return Ok(());
    }
    // SAFETY: there is room for `room` elements, which is enough.
    unsafe { array.put_all(values) }
}

/// A string from C: null, or ended by a zero byte.
pub(super) struct Text(*const c_char);

impl Text {
    pub(super) fn read(&self) -> Result<&str, Refusal> {
        if self.0.is_null() {
            return Err(Refusal::InvalidArgument);
        }
        // SAFETY: not null, so by `receive`'s contract a string that lives through the call.
        let text = unsafe { CStr::from_ptr(self.0) };
        text.to_str().map_err(|_| Refusal::InvalidArgument)
    }
}

/// The `version` of a versioned structure: its size and its revision.
pub(super) fn version_of<T>(revision: u32) -> c_uint {
    u32::try_from(size_of::<T>()).map_or(0, |size| size | revision << 24)
}

/// Refuses a versioned structure that is not the one this library knows.
pub(super) fn expect_version<T>(found: c_uint, revision: u32) -> Result<(), Refusal> {
    (found == version_of::<T>(revision)).then_some(()).ok_or(Refusal::ArgumentVersionMismatch)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_a_return_code() {
        assert_eq!(guarded(|| panic!("on purpose")), Refusal::Unknown.code());
    }

    #[test]
    fn a_null_pointer_is_an_invalid_argument() {
        // SAFETY: null is allowed.
        let (number, text) =
            unsafe { (std::ptr::null_mut::<u32>().receive(), std::ptr::null::<c_char>().receive()) };
        assert_eq!(number.put(1), Err(Refusal::InvalidArgument));
        assert_eq!(text.read(), Err(Refusal::InvalidArgument));
        let nowhere: Ptr<c_char> = Ptr(std::ptr::null_mut());
        // SAFETY: null is refused before anything is written.
        assert_eq!(unsafe { put_text(&nowhere, 80, "x") }, Err(Refusal::InvalidArgument));
    }

    #[test]
    fn a_text_fits_only_with_its_final_zero() {
        let mut room = [c_char::MAX; 4];
        // SAFETY: a live array of four.
        let buffer = unsafe { room.as_mut_ptr().receive() };
        // SAFETY: the length given is the array's, or less.
        unsafe {
            assert_eq!(put_text(&buffer, 3, "abc"), Err(Refusal::InsufficientSize));
            assert_eq!(put_text(&buffer, 4, "abc"), Ok(()));
        }
        assert_eq!(room.map(c_char::cast_unsigned), *b"abc\0");
    }

    #[test]
    fn a_list_that_does_not_fit_tells_its_length() {
        let (mut count, mut room) = (1_u32, [0_u32; 2]);
        // SAFETY: live variables, and `count` never says more than the array has.
        unsafe {
            let (count_ptr, array) = ((&raw mut count).receive(), room.as_mut_ptr().receive());
            assert_eq!(put_list(&count_ptr, &array, &[7, 8]), Err(Refusal::InsufficientSize));
            assert_eq!(count, 2);
            assert_eq!(put_list(&count_ptr, &array, &[7, 8]), Ok(()));
        }
        assert_eq!(room, [7, 8]);
    }
}
