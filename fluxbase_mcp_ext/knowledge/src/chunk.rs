//! Text to chunks.
//!
//! Invariants, for every text (tested with made-up ones):
//! - Nothing is lost: a chunk without its overlap begins where the one before ended; only white space is in no chunk.
//! - No chunk has more than `size` characters; a character is a Unicode scalar value and is never split.
//! - A chunk begins with exactly the `overlap` characters before it, or with all of them where there are fewer.
//!
//! Time grows with the length of the text alone.

use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation;

/// The least and the most characters of a chunk.
pub const LEAST_SIZE: usize = 50;
pub const MOST_SIZE: usize = 20_000;

/// Where a text may be cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strategy {
    /// Between paragraphs; where one is too long between its lines, then sentences, words, characters.
    Recursive,
    /// Between sentences (Unicode's, UAX #29); where one is too long between words, then characters.
    Sentence,
    /// After as many characters.
    Fixed,
}

impl Strategy {
    /// By its name in `ai.knowledge_bases`.
    pub fn parse(name: &str) -> Option<Strategy> {
        match name {
            "recursive" => Some(Strategy::Recursive),
            "sentence" => Some(Strategy::Sentence),
            "fixed" => Some(Strategy::Fixed),
            _ => None,
        }
    }

    /// From the best place for a cut to the last resort.
    fn levels(self) -> &'static [Level] {
        use Level::{Line, Paragraph, Sentence, Word};
        match self {
            Strategy::Recursive => &[Paragraph, Line, Sentence, Word],
            Strategy::Sentence => &[Sentence, Word],
            Strategy::Fixed => &[],
        }
    }
}

/// Numbers that make no chunks.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Unusable {
    /// The size.
    #[error("size: must be from {LEAST_SIZE} to {MOST_SIZE} characters, not {0}")]
    Size(i64),
    /// The overlap.
    #[error("overlap: must be from 0 to half of the size, {1}, not {0}")]
    Overlap(i64, i64),
}

/// How documents become chunks.
#[derive(Clone, Copy, Debug)]
pub struct Chunking {
    strategy: Strategy,
    size: usize,
    overlap: usize,
}

/// A part of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunk<'a> {
    /// The part, overlap and all.
    pub text: &'a str,
    /// Its first character, counted from 0, and the one after its last.
    pub start: usize,
    pub end: usize,
}

impl Chunking {
    /// `size` and `overlap` in characters.
    ///
    /// # Errors
    /// [`Unusable`].
    pub fn new(strategy: Strategy, size: i64, overlap: i64) -> Result<Chunking, Unusable> {
        let in_bounds = |number: &usize| (LEAST_SIZE..=MOST_SIZE).contains(number);
        let size = usize::try_from(size).ok().filter(in_bounds).ok_or(Unusable::Size(size))?;
        let overlap = usize::try_from(overlap)
            .ok()
            .filter(|overlap| *overlap <= size / 2)
            .ok_or(Unusable::Overlap(overlap, (size / 2) as i64))?;
        Ok(Chunking { strategy, size, overlap })
    }

    /// The chunks of a text, in its order. Parts of white space alone are left out.
    pub fn chunks<'a>(&self, text: &'a str) -> Vec<Chunk<'a>> {
        let mut cuts = Vec::new();
        Cutter { text, limit: self.size - self.overlap, cuts: &mut cuts }
            .cut(0..text.len(), self.strategy.levels());
        let mut chunks = Vec::with_capacity(cuts.len());
        let (mut from, mut from_chars) = (0, 0);
        for to in cuts {
            let part = &text[from..to];
            let chars = part.chars().count();
            if !part.trim().is_empty() {
                let before = text[..from].char_indices().rev().take(self.overlap);
                let (start, overlap) = before.fold((from, 0), |(_, count), (at, _)| (at, count + 1));
                chunks.push(Chunk {
                    text: &text[start..to],
                    start: from_chars - overlap,
                    end: from_chars + chars,
                });
            }
            (from, from_chars) = (to, from_chars + chars);
        }
        chunks
    }
}

/// What stays together if it can.
#[derive(Clone, Copy)]
enum Level {
    /// Up to an empty line.
    Paragraph,
    Line,
    Sentence,
    Word,
}

impl Level {
    /// Where each piece of a text ends; the last one at the text's end.
    fn ends(self, text: &str) -> Vec<usize> {
        let after = |(at, piece): (usize, &str)| at + piece.len();
        match self {
            Level::Paragraph => {
                let (mut ends, mut at, mut blank) = (Vec::new(), 0, false);
                for line in text.split_inclusive('\n') {
                    let empty = line.trim().is_empty();
                    // The empty lines belong to the paragraph before them.
                    if blank && !empty && at > 0 {
                        ends.push(at);
                    }
                    (at, blank) = (at + line.len(), empty);
                }
                ends.push(text.len());
                ends
            }
            Level::Line => text
                .split_inclusive('\n')
                .scan(0, |at, line| {
                    *at += line.len();
                    Some(*at)
                })
                .collect(),
            Level::Sentence => text.split_sentence_bound_indices().map(after).collect(),
            Level::Word => {
                // A word with the white space after it.
                let mut ends: Vec<usize> = text
                    .char_indices()
                    .zip(text.char_indices().skip(1))
                    .filter(|((_, one), (_, next))| one.is_whitespace() && !next.is_whitespace())
                    .map(|(_, (at, _))| at)
                    .collect();
                ends.push(text.len());
                ends
            }
        }
    }
}

struct Cutter<'a, 'b> {
    text: &'a str,
    limit: usize,
    cuts: &'b mut Vec<usize>,
}

impl Cutter<'_, '_> {
    /// Adds the ends of the parts of `range`, each of `limit` characters at most and as long as the pieces of the first level let it.
    fn cut(&mut self, range: Range<usize>, levels: &[Level]) {
        let whole = &self.text[range.clone()];
        let Some((level, finer)) = levels.split_first() else {
            let ends = whole.char_indices().map(|(at, _)| at).step_by(self.limit).skip(1);
            self.cuts.extend(ends.map(|at| range.start + at));
            if !whole.is_empty() {
                self.cuts.push(range.end);
            }
            return;
        };
        // The part that grows, where it ends, and its characters.
        let (mut end, mut chars) = (range.start, 0);
        let mut from = range.start;
        for to in level.ends(whole) {
            let to = range.start + to;
            let more = self.text[from..to].chars().count();
            if chars + more > self.limit && chars > 0 {
                self.cuts.push(end);
                chars = 0;
            }
            if more > self.limit {
                self.cut(from..to, finer);
            } else {
                chars += more;
            }
            (end, from) = (to, to);
        }
        if chars > 0 {
            self.cuts.push(end);
        }
    }
}
