//! Dashboard or plain lines: one of them shows the demo.

use std::io::{self, Stdout};

use super::facility::Notice;
use super::plain::Plain;
use super::screen::Screen;
use super::view::View;
use crate::world::Happened;

/// Who shows the demo.
#[derive(Debug)]
pub(crate) enum Face {
    /// Lines.
    Plain(Plain<Stdout>),
    /// The dashboard.
    Screen(Screen),
}

impl Face {
    /// The dashboard or lines.
    pub(crate) fn open(dashboard: bool) -> io::Result<Self> {
        if dashboard { Screen::open().map(Self::Screen) } else { Ok(Self::Plain(Plain::new(io::stdout()))) }
    }

    /// The next key. It never comes where there is no keyboard; `q` comes when the keyboard is gone.
    pub(crate) async fn key(&mut self) -> char {
        match self {
            Self::Plain(_) => std::future::pending().await,
            Self::Screen(screen) => screen.keys().recv().await.unwrap_or('q'),
        }
    }

    /// A line of the story; the dashboard has no place for it.
    pub(crate) fn say(&mut self, line: &str) -> io::Result<()> {
        match self {
            Self::Plain(plain) => plain.say(line),
            Self::Screen(_) => Ok(()),
        }
    }

    pub(crate) fn happened(&mut self, happened: &Happened) -> io::Result<()> {
        match self {
            Self::Plain(plain) => plain.happened(happened),
            Self::Screen(_) => Ok(()),
        }
    }

    pub(crate) fn noticed(&mut self, notice: &Notice) -> io::Result<()> {
        match self {
            Self::Plain(plain) => plain.noticed(notice),
            Self::Screen(_) => Ok(()),
        }
    }

    pub(crate) fn show(&mut self, view: &View<'_>) -> io::Result<()> {
        match self {
            Self::Plain(plain) => plain.show(view),
            Self::Screen(screen) => screen.show(view),
        }
    }
}
