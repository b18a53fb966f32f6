//! The keyboard: a thread that waits for keys, because waiting for them blocks.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use ratatui::crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers, poll, read};
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// Keys that wait to be looked at.
const QUEUE: usize = 16;
/// How soon the thread notices that it shall end.
const LOOK_UP: Duration = Duration::from_millis(100);

/// The keyboard, listened to until this is dropped.
#[derive(Debug)]
pub(super) struct Input {
    keys: Receiver<char>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Input {
    pub(super) fn listen() -> io::Result<Self> {
        let (sender, keys) = channel(QUEUE);
        let over = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&over);
        let thread =
            std::thread::Builder::new().name("keys".into()).spawn(move || forward(&sender, &flag))?;
        Ok(Self { keys, over, thread: Some(thread) })
    }

    pub(super) const fn keys(&mut self) -> &mut Receiver<char> {
        &mut self.keys
    }
}

impl Drop for Input {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _panicked = thread.join();
        }
    }
}

/// Forwards keys until told to end, or until the keyboard is gone; the receiver sees both.
fn forward(keys: &Sender<char>, over: &AtomicBool) {
    while !over.load(Ordering::Relaxed) {
        match poll(LOOK_UP) {
            Ok(false) => {}
            Ok(true) => match read() {
                Ok(Event::Key(key)) => {
                    if let Some(key) = meaning(key) {
                        // A full queue means that nobody looks at the keys; then they are lost, as on any keyboard.
                        let _lost = keys.try_send(key);
                    }
                }
                Ok(
                    Event::FocusGained
                    | Event::FocusLost
                    | Event::Mouse(_)
                    | Event::Paste(_)
                    | Event::Resize(..),
                ) => {}
                Err(_) => return,
            },
            Err(_) => return,
        }
    }
}

fn meaning(key: KeyEvent) -> Option<char> {
    match (key.kind, key.code) {
        (KeyEventKind::Press, KeyCode::Char('c')) if key.modifiers.contains(KeyModifiers::CONTROL) => {
            Some('q')
        }
        (KeyEventKind::Press, KeyCode::Char(key)) => Some(key.to_ascii_lowercase()),
        (KeyEventKind::Press, KeyCode::Esc) => Some('q'),
        _other => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pressed(code: KeyCode, modifiers: KeyModifiers) -> Option<char> {
        meaning(KeyEvent::new(code, modifiers))
    }

    #[test]
    fn ctrl_c_and_escape_end_and_letters_are_themselves() {
        assert_eq!(pressed(KeyCode::Char('c'), KeyModifiers::CONTROL), Some('q'));
        assert_eq!(pressed(KeyCode::Esc, KeyModifiers::NONE), Some('q'));
        assert_eq!(pressed(KeyCode::Char('P'), KeyModifiers::SHIFT), Some('p'));
        assert_eq!(pressed(KeyCode::Enter, KeyModifiers::NONE), None);
    }
}
