//! Where results go: files and the exports JSON, EDL, report.
