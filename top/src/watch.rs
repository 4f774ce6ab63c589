//! Looking at processes again and again, and showing what they say.

mod keyboard;
mod terminal;

use std::io;
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use self::keyboard::Keyboard;
use self::terminal::Screenful;
use crate::event::Told;
use crate::look::Asking;
use crate::screen::{Screen, Wish};
use crate::signals::Signals;
use crate::state::{Look, State};
use crate::summary::{Moment, Summary};
use crate::url::ProcessUrl;
use crate::view;

/// Looks that wait to be taken.
const LOOKS_MAX: usize = 64;

/// Whom to look at, and how often.
#[derive(Debug, Clone)]
pub struct Watching {
    /// The processes.
    pub urls: Vec<ProcessUrl>,
    /// How often each is asked.
    pub every: Duration,
}

/// Why the view ended although nobody asked it to.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// The terminal cannot be used; it is as it was.
    #[error("the terminal cannot be used")]
    Terminal(#[source] io::Error),
    /// The system does not let us hear of signals.
    #[error("signals cannot be heard")]
    Signals(#[source] io::Error),
    /// A part of this program ended.
    #[error("whatever asks the processes has ended")]
    Ended,
}

/// Shows the live view until a person or a signal ends it, and leaves the terminal as it was.
///
/// # Errors
/// [`WatchError`]; the terminal is left as it was.
pub async fn live(watching: Watching, mut told: mpsc::Receiver<Told>) -> Result<(), WatchError> {
    let mut signals = Signals::listen().map_err(WatchError::Signals)?;
    let asking = Asking::since(Instant::now());
    let mut view = View::new(&watching);
    let (sender, mut looks) = mpsc::channel(LOOKS_MAX);
    let mut pollers = poll(&watching, &asking, &sender);
    let mut terminal = Screenful::enter().map_err(WatchError::Terminal)?;
    let mut keyboard = Keyboard::open();
    let mut ticks = interval(watching.every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut hears_events = true;
    loop {
        let is_news = tokio::select! {
            () = signals.any() => return Ok(()),
            _ = pollers.join_next() => return Err(WatchError::Ended),
            key = keyboard.next() => match key.map_err(WatchError::Terminal)? {
                Some(key) => match view.press(key, moment(&asking)) {
                    Wish::Quit => return Ok(()),
                    wish => wish == Wish::Redraw,
                },
                // Another size.
                None => true,
            },
            Some(look) = looks.recv() => {
                view.state.look(look);
                true
            }
            event = told.recv(), if hears_events => {
                match event {
                    Some(event) => view.state.told(event),
                    None => hears_events = false,
                }
                false
            }
            _ = ticks.tick() => {
                view.state.tick(asking.now());
                true
            }
        };
        if is_news {
            terminal
                .show(&view.summary(moment(&asking)), &view.screen)
                .map_err(WatchError::Terminal)?;
        }
    }
}

/// Looks twice, once `every` apart, and answers the figures.
pub async fn once(watching: &Watching, told: &mut mpsc::Receiver<Told>) -> Summary {
    let asking = Asking::since(Instant::now());
    let mut state = State::new(&watching.urls);
    let mut ticks = interval(watching.every);
    for _ in 0..2 {
        ticks.tick().await;
        for look in look_at_all(watching, &asking).await {
            state.look(look);
        }
        state.tick(asking.now());
    }
    while let Ok(told) = told.try_recv() {
        state.told(told);
    }
    state.summary(moment(&asking))
}

async fn look_at_all(watching: &Watching, asking: &Asking) -> Vec<Look> {
    let looking = watching.urls.iter().enumerate();
    let looking = looking.map(|(process, url)| async move { look(process, url, asking).await });
    futures::future::join_all(looking).await
}

async fn look(process: usize, url: &ProcessUrl, asking: &Asking) -> Look {
    let answer = asking.look(url).await;
    Look {
        process,
        at: asking.now(),
        answer,
    }
}

/// One task for each process: one that does not answer delays no other.
fn poll(watching: &Watching, asking: &Asking, looks: &mpsc::Sender<Look>) -> JoinSet<()> {
    let mut pollers = JoinSet::new();
    for (process, url) in watching.urls.iter().cloned().enumerate() {
        let (asking, looks) = (asking.clone(), looks.clone());
        let mut ticks = interval(watching.every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        pollers.spawn(async move {
            loop {
                ticks.tick().await;
                if looks.send(look(process, &url, &asking).await).await.is_err() {
                    return;
                }
            }
        });
    }
    pollers
}

fn moment(asking: &Asking) -> Moment {
    let unix = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    Moment {
        since_start: asking.now(),
        unix_s: unix.unwrap_or_default().as_secs_f64(),
    }
}

/// What is known, and what of it is shown.
struct View {
    state: State,
    screen: Screen,
    /// What is shown while the figures stand still.
    frozen: Option<Summary>,
}

impl View {
    fn new(watching: &Watching) -> Self {
        Self {
            state: State::new(&watching.urls),
            screen: Screen::default(),
            frozen: None,
        }
    }

    fn press(&mut self, key: crossterm::event::KeyEvent, now: Moment) -> Wish {
        let shown = self.summary(now);
        let wish = self.screen.press(key, view::lines(&shown, self.screen.tab));
        self.frozen = self.screen.is_paused.then_some(shown);
        wish
    }

    fn summary(&self, now: Moment) -> Summary {
        self.frozen.clone().unwrap_or_else(|| self.state.summary(now))
    }
}

#[cfg(test)]
mod tests {
    use crossterm::event::{KeyCode, KeyEvent};

    use super::*;
    use crate::state::tests::{busy, look, moment};

    #[test]
    fn figures_stand_still_during_a_pause_and_are_the_present_ones_after_it() {
        let mut view = View {
            state: busy(2),
            screen: Screen::default(),
            frozen: None,
        };
        let pause = KeyEvent::from(KeyCode::Char('p'));
        let head = |view: &View, second| view.summary(moment(second)).log.head;
        view.press(pause, moment(2));
        view.state.look(look(0, 3));
        assert_eq!(head(&view, 3), Some(1_100.0));
        view.press(KeyEvent::from(KeyCode::Tab), moment(3));
        assert_eq!(head(&view, 3), Some(1_100.0), "turning the page ends no pause");
        view.press(pause, moment(3));
        assert_eq!(head(&view, 3), Some(1_150.0));
    }
}
