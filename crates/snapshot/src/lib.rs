//! Pins what people read, for the tests of every crate. `./bless` writes all snapshots anew.

#[doc(hidden)]
pub use insta;

/// Compares a text with `snapshots/NAME.snap` in the folder of the calling file.
///
/// The folder says which module it is, so the name need not, as it would with `insta` alone.
#[macro_export]
macro_rules! assert_snapshot {
    ($name:literal, $text:expr $(,)?) => {
        $crate::insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
            $crate::insta::assert_snapshot!($name, $text)
        })
    };
}
