//! Why a command changes nothing: one word each, in the order in which it is looked for.

macro_rules! refusals {
    ($($variant:ident $word:literal $doc:literal)+) => {
        /// Why a command changes nothing.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Refusal { $(#[doc = $doc] $variant),+ }

        impl Refusal {
            /// Every one, in the order in which they are looked for.
            pub const ALL: [Self; [$($word),+].len()] = [$(Self::$variant),+];

            /// One stable word for answers and logs.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            /// The same for people.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self { $(Self::$variant => $doc),+ }
            }
        }
    };
}

refusals! {
    Retained "retained"
        "The broker kept it from an unknown time ago."
    TooLarge "too_large"
        "Longer than 8 KiB."
    BadSignature "bad_signature"
        "Signed, and not by the key of its issuer."
    Malformed "malformed"
        "No envelope: not JSON, or a field is missing, unknown, said twice or of the wrong type."
    UnknownAction "unknown_action"
        "There is no such action."
    BadParams "bad_params"
        "The parameters are not those of the action."
    NotANumber "not_a_number"
        "A parameter is no finite number."
    UnknownAlarm "unknown_alarm"
        "There is no such alarm."
    BadName "bad_name"
        "A name is empty, longer than 64 characters, or has others than letters, digits and `-_.:`."
    ReservedName "reserved_name"
        "The issuer calls itself by the name of a face."
    WrongTarget "wrong_target"
        "For another node; or for no node in particular, and not in a safe direction."
    Duplicate "duplicate"
        "A command of this id has been taken up before."
    Unsigned "unsigned"
        "This issuer has a key here, and the command is not signed."
    LifeTooLong "life_too_long"
        "It expires before it was issued, or more than the longest life after."
    FromTheFuture "from_the_future"
        "Issued later than now."
    TooLate "expired"
        "Its time was over when it came."
    ClockUnsure "clock_unsure"
        "This node's clock has jumped or gone back, so nobody can tell whether it has expired."
    PlainOff "plain_off"
        "Commands without an envelope are switched off here."
    NeedsEnvelope "needs_envelope"
        "Only what goes in a safe direction may come without an envelope."
    NotAllowed "not_allowed"
        "The issuer has no right to it."
    Weaker "weaker"
        "Less strict than the issuer's own order in force, or over before it: that needs an issuer in the configuration, and a counter."
    NoCounter "no_counter"
        "A command that needs a right, or takes back an order, needs a counter."
    LedgerUnreadable "ledger_unreadable"
        "The file of the counters cannot be read, so replays cannot be told; remove it to begin anew."
    CounterNotNewer "counter_not_newer"
        "The counter is not higher than that of the issuer's command before."
    Overtaken "overtaken"
        "Issued before the issuer's own order in force."
    Local "local"
        "Somebody works on the node: `eisbach-agent maintenance off` ends that."
    NotRunning "not_running"
        "By hand only while the node is Running."
    OutOfRange "out_of_range"
        "Below the least that makes sense."
    TooLong "too_long"
        "It shall stay in force longer than is allowed here."
    NothingToRelease "nothing_to_release"
        "The issuer has no such order in force."
    Full "full"
        "As many orders are in force as this agent keeps."
    NotKept "not_kept"
        "The counter cannot be written to the disk, so a replay could not be told after a restart."
    Busy "busy"
        "What must carry it out has more to do than it can remember."
}
