//! The last result of a costly function: the same number in gives the same bits out, without reckoning again.

/// Remembers what a function of one number gave last. Always to be asked with the same function.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Memo {
    /// The bits of what was asked last, and the answer.
    last: Option<(u64, f64)>,
}

impl Memo {
    /// `function` of `argument`.
    #[inline]
    pub(crate) fn of(&mut self, argument: f64, function: impl FnOnce(f64) -> f64) -> f64 {
        let bits = argument.to_bits();
        match self.last {
            Some((asked, answer)) if asked == bits => answer,
            Some(_) | None => {
                let answer = function(argument);
                self.last = Some((bits, answer));
                answer
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_again_is_not_reckoned_again_and_what_is_new_is() {
        let mut memo = Memo::default();
        let mut asked = 0;
        let mut ask = |argument: f64| {
            memo.of(argument, |number| {
                asked += 1;
                number.sqrt()
            })
            .to_bits()
        };
        for argument in [2.0, 2.0, 3.0, 2.0, 0.0, -0.0, f64::NAN] {
            assert_eq!(ask(argument), argument.sqrt().to_bits());
        }
        assert_eq!(asked, 6);
    }
}
