//! The dashboard in a terminal, which is looked at anew every few seconds. The terminal is given back as it was, however
//! this ends.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use ratatui::Frame;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use ratatui::layout::{Alignment, Constraint, Layout};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Text};
use ratatui::widgets::{Block, Cell, Paragraph, Row, Table, TableState};

use super::look;
use super::table::{WORDS, widths};
use super::view::{COLUMNS, View};
use crate::client::{ClientError, Service};

/// How often it is looked whether a key was pressed or something has come.
const TICK: Duration = Duration::from_millis(100);

/// What is known, and what of it is looked at.
#[derive(Default)]
struct Shown {
    now: Option<View>,
    before: Option<View>,
    /// Why the last look has failed.
    failed: Option<String>,
    selected: Option<String>,
}

/// Shows it until somebody presses q, or `stop` says so.
pub fn show(service: &Service, every: Duration, stop: &AtomicBool) -> io::Result<()> {
    let (ask, asked) = channel();
    let (seen, came) = channel();
    let asking = service.clone();
    // It ends with the process, or when nobody asks any more.
    thread::spawn(move || watch(&asking, every, &asked, &seen));
    let mut terminal = ratatui::try_init()?;
    let mut shown = Shown::default();
    let done = loop {
        let drawn = terminal.draw(|frame| draw(frame, &shown, service.url()));
        if let Err(error) = drawn {
            break Err(error);
        }
        match step(&mut shown, &came, &ask) {
            Ok(true) if !stop.load(Ordering::SeqCst) => {}
            done => break done.map(|_| ()),
        }
    };
    ratatui::try_restore()?;
    done
}

/// Looks again and again; at once when it is asked to.
fn watch(
    service: &Service,
    every: Duration,
    asked: &Receiver<()>,
    seen: &Sender<Result<View, ClientError>>,
) {
    loop {
        if seen.send(look(service)).is_err() {
            return;
        }
        use std::sync::mpsc::RecvTimeoutError::Disconnected;
        if asked.recv_timeout(every) == Err(Disconnected) {
            return;
        }
    }
}

/// Waits a moment for what comes; false when it is to end.
fn step(
    shown: &mut Shown,
    came: &Receiver<Result<View, ClientError>>,
    ask: &Sender<()>,
) -> io::Result<bool> {
    while let Ok(looked) = came.try_recv() {
        shown.take(looked);
    }
    if !event::poll(TICK)? {
        return Ok(true);
    }
    match event::read()? {
        Event::Key(key) if key.kind == KeyEventKind::Press => Ok(shown.press(key, ask)),
        _ => Ok(true),
    }
}

impl Shown {
    fn take(&mut self, looked: Result<View, ClientError>) {
        match looked {
            Ok(view) => {
                self.before = self.now.replace(view);
                self.failed = None;
            }
            Err(error) => self.failed = Some(error.to_string()),
        }
    }

    /// What a key does; false when it is to end.
    fn press(&mut self, key: KeyEvent, ask: &Sender<()>) -> bool {
        let is_control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Char('q') | KeyCode::Esc => return false,
            KeyCode::Char('c') if is_control => return false,
            // Who looks is gone only with the process.
            KeyCode::Char('r') => drop(ask.send(())),
            KeyCode::Down | KeyCode::Char('j') => self.go(1),
            KeyCode::Up | KeyCode::Char('k') => self.go(-1),
            _ => {}
        }
        true
    }

    /// The place of what is selected; the first where it is gone.
    fn place(&self) -> Option<usize> {
        let view = self.now.as_ref()?;
        let selected = self.selected.as_deref();
        let found = view.ids().position(|id| Some(id) == selected);
        found.or_else(|| view.ids().next().map(|_| 0))
    }

    fn go(&mut self, by: isize) {
        let Some((view, at)) = self.now.as_ref().zip(self.place()) else {
            return;
        };
        let last = view.ids().count().saturating_sub(1);
        let to = at.saturating_add_signed(by).min(last);
        self.selected = view.ids().nth(to).map(str::to_owned);
    }
}

fn draw(frame: &mut Frame<'_>, shown: &Shown, url: &str) {
    let Some(view) = &shown.now else {
        let text = match &shown.failed {
            Some(failed) => failed.clone(),
            None => format!("asking {url} …"),
        };
        frame.render_widget(Paragraph::new(text), frame.area());
        return;
    };
    let at = shown.place();
    let more = at
        .and_then(|at| view.ids().nth(at))
        .map(|id| (id, view.more(id)));
    let height = more
        .as_ref()
        .map_or(0, |(_, lines)| lines.len().min(12) + 2);
    let parts = [
        Constraint::Length(1),
        Constraint::Min(3),
        Constraint::Length(u16::try_from(height).unwrap_or(14)),
        Constraint::Length(1),
    ];
    let [top, middle, below, bottom] = Layout::vertical(parts).areas(frame.area());
    let bold = Style::new().add_modifier(Modifier::BOLD);
    frame.render_widget(Line::styled(view.summary(), bold), top);

    let rows = view.rows(shown.before.as_ref());
    let widths =
        widths(&rows).map(|width| Constraint::Length(u16::try_from(width).unwrap_or(u16::MAX)));
    let cell = |(at, text): (usize, String)| match at < WORDS {
        true => Cell::new(text),
        false => Cell::new(Text::from(text).alignment(Alignment::Right)),
    };
    let titles = COLUMNS.map(str::to_owned);
    let header = Row::new(titles.into_iter().enumerate().map(cell)).style(bold);
    let rows = rows.into_iter().map(|row| {
        let style = style(&row[1], &row[12]);
        Row::new(row.into_iter().enumerate().map(cell)).style(style)
    });
    let table = Table::new(rows, widths)
        .header(header)
        .column_spacing(2)
        .row_highlight_style(Style::new().add_modifier(Modifier::REVERSED));
    let mut state = TableState::new().with_selected(at);
    frame.render_stateful_widget(table, middle, &mut state);

    if let Some((id, lines)) = more {
        let text: Vec<Line<'_>> = lines.into_iter().map(Line::from).collect();
        let block = Block::bordered().title(id.to_owned());
        frame.render_widget(Paragraph::new(text).block(block), below);
    }
    let last = match &shown.failed {
        Some(failed) => Line::styled(failed.clone(), Style::new().fg(Color::Red)),
        None => Line::from(format!(
            "{url}   q ends, up and down choose an event, r looks again"
        )),
    };
    frame.render_widget(last, bottom);
}

/// How a row is drawn: what runs in green, what failed in red, what has errors in yellow.
fn style(state: &str, errors: &str) -> Style {
    match (state, errors) {
        ("failed", _) => Style::new().fg(Color::Red),
        (_, errors) if errors != "0" => Style::new().fg(Color::Yellow),
        ("running" | "draining" | "revising", _) => Style::new().fg(Color::Green),
        _ => Style::new(),
    }
}

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;
    use serde_json::json;

    use super::super::page::Page;
    use super::*;

    fn shown() -> Shown {
        let item = |id: &str, state: &str| json!({ "id": id, "state": state, "reason": "why" });
        let items = [item("cup", "running"), item("old", "failed")];
        let mut shown = Shown::default();
        shown.take(Ok(View::new(&items, Page::default())));
        shown
    }

    fn screen(shown: &Shown) -> String {
        let mut terminal = Terminal::new(TestBackend::new(120, 12)).unwrap();
        let frame = terminal
            .draw(|frame| draw(frame, shown, "http://h:1"))
            .unwrap();
        let cells = frame.buffer.content().chunks(120);
        let line = |cells: &[ratatui::buffer::Cell]| -> String {
            let text: String = cells.iter().map(|cell| cell.symbol()).collect();
            text.trim_end().to_owned() + "\n"
        };
        cells.map(line).collect()
    }

    #[test]
    fn events_stand_below_each_other_and_more_of_one_of_them() {
        let mut shown = shown();
        let text = screen(&shown);
        let lines: Vec<&str> = text.lines().collect();
        assert!(
            lines[0].starts_with("matchcut -: 1 running, 1 failed"),
            "{text}"
        );
        assert!(
            lines[1].starts_with("EVENT  STATE    EPOCH  TIME"),
            "{text}"
        );
        assert!(lines[2].starts_with("cup    running"), "{text}");
        assert!(lines[3].starts_with("old    failed"), "{text}");
        assert!(
            text.contains("┌cup─") && text.contains("│reason: why"),
            "{text}"
        );
        assert!(lines[11].starts_with("http://h:1   q ends"), "{text}");
        let refused = ClientError::Address("x".to_owned());
        shown.take(Err(refused));
        assert!(screen(&shown).contains("x is no address of a service"));
    }

    #[test]
    fn keys_choose_an_event_and_end_it() {
        let (ask, asked) = channel();
        let mut shown = shown();
        let press = |shown: &mut Shown, code| shown.press(KeyEvent::from(code), &ask);
        assert_eq!(shown.place(), Some(0));
        assert!(press(&mut shown, KeyCode::Down) && press(&mut shown, KeyCode::Down));
        assert_eq!(shown.place(), Some(1));
        assert!(screen(&shown).contains("┌old─"));
        assert!(press(&mut shown, KeyCode::Up));
        assert_eq!(shown.selected.as_deref(), Some("cup"));
        assert!(press(&mut shown, KeyCode::Char('r')) && press(&mut shown, KeyCode::Char('c')));
        assert_eq!(asked.try_recv(), Ok(()));
        assert!(!press(&mut shown, KeyCode::Char('q')));
        let interrupt = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        assert!(!shown.press(interrupt, &ask));
    }
}
