//! Reads a page with Tesseract, which runs as a process of its own: a page goes to its standard
//! input, a table of words comes back. Who waits for it does so on the media pool, for a time that is
//! limited.

use std::io::{ErrorKind, Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use super::page::{Page, Row};

/// A word as it was read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Word {
    pub(super) text: String,
    /// How sure the reader is, 0 to 100.
    pub(super) confidence: u8,
}

/// Reads pages. Equal pages must give equal words.
pub(super) trait Reader: Send + Sync {
    /// The words of each line of a page.
    fn read(&self, page: &Page) -> Result<Vec<Vec<Word>>, String>;
}

/// The program, with the language it reads and the longest it may take.
#[derive(Clone, Debug)]
pub(super) struct Tesseract {
    pub(super) program: String,
    pub(super) language: String,
    pub(super) timeout: Duration,
}

impl Reader for Tesseract {
    fn read(&self, page: &Page) -> Result<Vec<Vec<Word>>, String> {
        // Block of lines, or one line.
        let layout = if page.rows.len() == 1 { "7" } else { "6" };
        let table = self.run(layout, page.picture.to_pgm())?;
        Ok(words(&table, &page.rows))
    }
}

impl Tesseract {
    fn run(&self, layout: &str, picture: Vec<u8>) -> Result<String, String> {
        let mut child = Command::new(&self.program)
            .args([
                "stdin",
                "stdout",
                "--dpi",
                "300",
                "-l",
                &self.language,
                "--psm",
                layout,
                "tsv",
            ])
            // Pages are small: threads of its own would only wait for each other.
            .env("OMP_THREAD_LIMIT", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| self.cannot_run(&error))?;
        let (told, answer) = mpsc::channel();
        let mut stdin = child.stdin.take();
        let mut stdout = child.stdout.take();
        let mut stderr = child.stderr.take();
        // Both ends of its pipes are served apart, so that it can never wait for us; they end with it.
        thread::spawn(move || {
            if let Some(stdin) = &mut stdin {
                // A reader that gives up early says why on its own.
                let _ = stdin.write_all(&picture);
            }
        });
        thread::spawn(move || {
            let (mut table, mut said) = (Vec::new(), Vec::new());
            if let Some(stdout) = &mut stdout {
                let _ = stdout.read_to_end(&mut table);
            }
            if let Some(stderr) = &mut stderr {
                let _ = stderr.take(4096).read_to_end(&mut said);
            }
            let _ = told.send((table, said));
        });
        let answer = answer.recv_timeout(self.timeout);
        let Ok((table, said)) = answer else {
            end(&mut child);
            return Err(format!(
                "{} took longer than {:?} to read a score box; raise `timeout`",
                self.program, self.timeout
            ));
        };
        let status = child
            .wait()
            .map_err(|error| format!("{}: {error}", self.program))?;
        if !status.success() {
            let said = String::from_utf8_lossy(&said);
            let said = said
                .lines()
                .last()
                .unwrap_or("no reason given")
                .trim()
                .to_owned();
            return Err(format!(
                "{} cannot read a score box ({status}): {said}; is its language \"{}\" installed?",
                self.program, self.language
            ));
        }
        Ok(String::from_utf8_lossy(&table).into_owned())
    }

    fn cannot_run(&self, error: &std::io::Error) -> String {
        if error.kind() == ErrorKind::NotFound {
            return format!(
                "{} is not installed, and score boxes cannot be read without it: \
                 apt-get install tesseract-ocr",
                self.program
            );
        }
        format!("{} cannot be run: {error}", self.program)
    }
}

fn end(child: &mut Child) {
    // It may have ended by itself meanwhile.
    let _ = child.kill();
    let _ = child.wait();
}

/// The words of Tesseract's table, by line of the page, from left to right.
fn words(table: &str, rows: &[Row]) -> Vec<Vec<Word>> {
    let mut lines: Vec<Vec<(usize, Word)>> = vec![Vec::new(); rows.len()];
    for line in table.lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        let [_, _, _, _, _, _, left, top, _, height, confidence, text] = fields.as_slice() else {
            continue;
        };
        let (Ok(left), Ok(top), Ok(height), Ok(confidence)) = (
            left.parse::<usize>(),
            top.parse::<usize>(),
            height.parse::<usize>(),
            confidence.parse::<f64>(),
        ) else {
            continue;
        };
        let text = text.trim();
        if text.is_empty() || confidence < 0.0 {
            continue;
        }
        let centre = top + height / 2;
        let row = rows
            .iter()
            .position(|row| (row.top..row.bottom).contains(&centre));
        if let Some(words) = row.and_then(|row| lines.get_mut(row)) {
            let confidence = confidence.clamp(0.0, 100.0) as u8;
            words.push((
                left,
                Word {
                    text: text.to_owned(),
                    confidence,
                },
            ));
        }
    }
    let sorted = lines.into_iter().map(|mut words| {
        words.sort();
        words.into_iter().map(|(_, word)| word).collect()
    });
    sorted.collect()
}

#[cfg(test)]
mod tests {
    use super::super::image::{Area, Grey};
    use super::*;

    #[test]
    fn a_table_becomes_words_by_line() {
        let rows = [
            Row {
                top: 10,
                bottom: 60,
                marked: false,
            },
            Row {
                top: 80,
                bottom: 130,
                marked: false,
            },
        ];
        let table = "level\tpage_num\tblock_num\tpar_num\tline_num\tword_num\tleft\ttop\twidth\theight\tconf\ttext\n\
            1\t1\t0\t0\t0\t0\t0\t0\t400\t200\t-1\t\n\
            5\t1\t1\t1\t1\t2\t200\t20\t30\t30\t80.5\t6\n\
            5\t1\t1\t1\t1\t1\t20\t20\t130\t30\t96.1\tDJOKOVIC\n\
            5\t1\t1\t1\t2\t1\t20\t90\t130\t30\t95\tWAWRINKA\n\
            5\t1\t1\t1\t2\t2\t20\t180\t130\t10\t95\tbelow\n\
            5\t1\tbroken\n";
        let word = |text: &str, confidence| Word {
            text: text.to_owned(),
            confidence,
        };
        let expected = vec![
            vec![word("DJOKOVIC", 96), word("6", 80)],
            vec![word("WAWRINKA", 95)],
        ];
        assert_eq!(words(table, &rows), expected);
    }

    fn read(program: &str) -> Result<Vec<Vec<Word>>, String> {
        let page = Page {
            text: Area {
                left: 0,
                top: 0,
                right: 10,
                bottom: 10,
            },
            picture: Grey::filled(10, 10, 255),
            rows: vec![Row {
                top: 0,
                bottom: 10,
                marked: false,
            }],
        };
        let timeout = Duration::from_millis(200);
        Tesseract {
            program: program.to_owned(),
            language: "eng".to_owned(),
            timeout,
        }
        .read(&page)
    }

    #[test]
    fn what_cannot_be_run_is_explained() {
        let told = read("no-such-program-for-reading").unwrap_err();
        assert!(
            told.contains("is not installed") && told.contains("apt-get install"),
            "{told}"
        );
        // It fails, and says nothing.
        let told = read("false").unwrap_err();
        assert!(told.contains("cannot read a score box"), "{told}");
        // It never ends by itself.
        let slow =
            std::env::temp_dir().join(format!("matchcut-slow-reader-{}", std::process::id()));
        std::fs::write(&slow, "#!/bin/sh\nexec sleep 60\n").unwrap();
        std::fs::set_permissions(&slow, std::os::unix::fs::PermissionsExt::from_mode(0o755))
            .unwrap();
        let told = read(slow.to_str().unwrap());
        std::fs::remove_file(&slow).unwrap();
        let told = told.unwrap_err();
        assert!(told.contains("took longer than 200ms"), "{told}");
    }
}
