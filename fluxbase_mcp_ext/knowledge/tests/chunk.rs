//! Text to chunks: by examples, and for made-up texts that nothing is lost, sizes are kept and overlaps are exact.

use fluxbase_knowledge::{Chunk, Chunking, Strategy, Unusable};
use proptest::prelude::{
    BoxedStrategy, Just, Strategy as _, prop_assert, prop_assert_eq, prop_oneof, proptest,
};

fn texts(strategy: Strategy, size: i64, overlap: i64, text: &str) -> Vec<&str> {
    let chunking = Chunking::new(strategy, size, overlap).expect("usable");
    chunking.chunks(text).into_iter().map(|chunk| chunk.text).collect()
}

#[test]
fn a_short_text_is_one_chunk() {
    for strategy in [Strategy::Recursive, Strategy::Sentence, Strategy::Fixed] {
        assert_eq!(texts(strategy, 50, 10, "One. Two."), ["One. Two."]);
    }
}

#[test]
fn nothing_and_white_space_are_no_chunk() {
    for strategy in [Strategy::Recursive, Strategy::Sentence, Strategy::Fixed] {
        assert!(texts(strategy, 50, 0, "").is_empty());
        assert!(texts(strategy, 50, 0, &" \n\t".repeat(100)).is_empty());
    }
}

#[test]
fn fixed_cuts_after_as_many_characters() {
    let text: String = ('a'..='z').cycle().take(120).collect();
    let chunks = texts(Strategy::Fixed, 50, 10, &text);
    assert_eq!(chunks, [&text[..40], &text[30..80], &text[70..120]]);
}

#[test]
fn sentences_stay_whole() {
    let text = "The first sentence is short. The second one is short too. Is the third one? Yes! A last one.";
    assert_eq!(
        texts(Strategy::Sentence, 60, 0, text),
        ["The first sentence is short. The second one is short too. ", "Is the third one? Yes! A last one."]
    );
}

#[test]
fn recursive_prefers_paragraphs_then_lines_then_sentences_then_words() {
    let text = "# One\n\nA paragraph that is quite short.\n\n\n# Two\nAnother paragraph, longer: its first line.\nIts second line. And more.\n";
    assert_eq!(
        texts(Strategy::Recursive, 50, 0, text),
        [
            "# One\n\nA paragraph that is quite short.\n\n\n",
            "# Two\nAnother paragraph, longer: its first line.\n",
            "Its second line. And more.\n"
        ]
    );
    let words = "word ".repeat(30);
    assert!(texts(Strategy::Recursive, 52, 0, &words).iter().all(|chunk| chunk.len() == 50));
    let one = "x".repeat(120);
    assert_eq!(
        texts(Strategy::Recursive, 50, 0, &one).iter().map(|chunk| chunk.len()).collect::<Vec<_>>(),
        [50, 50, 20]
    );
}

#[test]
fn offsets_count_characters() {
    let text = "\u{e4}\u{1f600}".repeat(40);
    let chunking = Chunking::new(Strategy::Fixed, 50, 5).expect("usable");
    let places: Vec<_> = chunking.chunks(&text).iter().map(|chunk| (chunk.start, chunk.end)).collect();
    assert_eq!(places, [(0, 45), (40, 80)]);
}

#[test]
fn numbers_that_make_no_chunks_are_refused() {
    let refused = |size, overlap| Chunking::new(Strategy::Fixed, size, overlap).err();
    assert_eq!(refused(49, 0), Some(Unusable::Size(49)));
    assert_eq!(refused(-1, 0), Some(Unusable::Size(-1)));
    assert_eq!(refused(20_001, 0), Some(Unusable::Size(20_001)));
    assert_eq!(refused(100, 51), Some(Unusable::Overlap(51, 50)));
    assert_eq!(refused(100, -1), Some(Unusable::Overlap(-1, 50)));
    assert_eq!(refused(100, 50), None);
}

/// A long text without any place for a good cut takes no longer than one with many.
#[test]
fn long_texts_are_cut_in_time_that_grows_with_them() {
    for piece in ["x", "x ", "x\n", "x. ", "\n\n", "\u{e4}\u{301}"] {
        let text = piece.repeat((1 << 18) / piece.len());
        for strategy in [Strategy::Recursive, Strategy::Sentence, Strategy::Fixed] {
            let chunks = Chunking::new(strategy, 512, 50).expect("usable").chunks(&text).len();
            assert!(chunks <= text.len() / 300, "{piece:?} {strategy:?} {chunks}");
        }
    }
}

fn any_text() -> BoxedStrategy<String> {
    let piece = prop_oneof![
        8 => "[a-zA-Z]{1,12}",
        6 => Just(" ".to_owned()),
        2 => Just(". ".to_owned()),
        1 => Just("? ".to_owned()),
        2 => Just("\n".to_owned()),
        1 => Just("\n\n".to_owned()),
        1 => Just("\r\n \t".to_owned()),
        1 => Just("e\u{301}\u{1f468}\u{200d}\u{1f469}".to_owned()),
        1 => "\\PC{1,80}",
        1 => "[\u{4e00}-\u{4e80}\u{3002}]{1,60}",
    ];
    proptest::collection::vec(piece, 0..200).prop_map(|pieces| pieces.concat()).boxed()
}

fn slice(chars: &[char], from: usize, to: usize) -> String {
    chars[from..to].iter().collect()
}

proptest! {
    #[test]
    fn nothing_is_lost_and_bounds_hold(
        text in any_text(),
        strategy in prop_oneof![Just(Strategy::Recursive), Just(Strategy::Sentence), Just(Strategy::Fixed)],
        size in 50i64..400,
        part in 0i64..=100,
    ) {
        let overlap = size / 2 * part / 100;
        let chunking = Chunking::new(strategy, size, overlap).expect("usable");
        let (size, overlap) = (size as usize, overlap as usize);
        let chars: Vec<char> = text.chars().collect();
        let mut reached = 0;
        for Chunk { text, start, end } in chunking.chunks(&text) {
            prop_assert_eq!(text, slice(&chars, start, end), "offsets tell the place");
            prop_assert!(text.chars().count() <= size, "too long");
            prop_assert!(!text.trim().is_empty());
            // Its own part begins after the overlap. What lies between the chunk before and it is white space.
            let own = if start == 0 { start.max(reached.min(overlap)) } else { start + overlap };
            prop_assert!(own >= reached, "own {} reached {}", own, reached);
            prop_assert!(slice(&chars, reached, own).trim().is_empty(), "lost: {:?}", slice(&chars, reached, own));
            prop_assert!(end > own);
            reached = end;
        }
        prop_assert!(slice(&chars, reached, chars.len()).trim().is_empty(), "lost at the end");
    }
}
