//! A page's Markdown, as far as the cases need it: fenced blocks with what stands above them, and commands in sentences.

use anyhow::{Result, ensure};

/// What a page begins a command with.
const PROGRAMS: [&str; 8] = ["terraform", "tofu", "talosctl", "kubectl", "helm", "curl", "jq", "make"];

/// A fenced block.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Block {
    /// The word behind the fence.
    pub(crate) language: String,
    /// Without the indentation of a list around it.
    pub(crate) text: String,
    /// The last line with text above it.
    pub(crate) above: String,
    /// Of its fence, counted from 1.
    pub(crate) line: usize,
}

impl Block {
    /// Its first line.
    pub(crate) fn first(&self) -> &str {
        self.text.lines().next().unwrap_or_default().trim_start()
    }

    /// Whether its first line begins so.
    pub(crate) fn begins(&self, with: &str) -> bool {
        self.first().starts_with(with)
    }
}

/// All of a page's blocks. One that is only indented would be none of them, so there may be none.
pub(crate) fn blocks_in(page: &str) -> Result<Vec<Block>> {
    let mut found: Vec<Block> = Vec::new();
    let mut fence: Option<usize> = None;
    let mut above = "";
    for (index, line) in page.lines().enumerate() {
        let bare = line.trim_start();
        let depth = line.len() - bare.len();
        match (fence, bare.strip_prefix("```")) {
            (None, Some(language)) => {
                let (language, above) = (language.trim().to_owned(), above.to_owned());
                found.push(Block { language, text: String::new(), above, line: index + 1 });
                fence = Some(depth);
            }
            (Some(_), Some("")) => fence = None,
            (Some(depth), _) => {
                let text = line.get(depth..).unwrap_or_default();
                found.last_mut().into_iter().for_each(|block| block.text += &format!("{text}\n"));
            }
            (None, None) => {
                ensure!(depth < 4 || bare.is_empty(), "line {}: a block without a fence: {bare}", index + 1);
                above = if bare.is_empty() { above } else { bare };
            }
        }
    }
    ensure!(fence.is_none(), "the last block has no end");
    Ok(found)
}

/// The texts of the blocks of one language.
pub(crate) fn blocks(page: &str, language: &str) -> Result<Vec<String>> {
    let all = blocks_in(page)?.into_iter();
    Ok(all.filter(|block| block.language == language).map(|block| block.text).collect())
}

/// The commands in the sentences and tables of a page, as they are printed.
pub(crate) fn commands(page: &str) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for paragraph in without_blocks(page).split("\n\n") {
        let parts: Vec<&str> = paragraph.split('`').collect();
        ensure!(parts.len() % 2 == 1, "one ` has no other: {paragraph}");
        let spans = parts.iter().skip(1).step_by(2).map(|span| span.split_whitespace().collect::<Vec<_>>());
        let commands = spans.filter(|words| words.len() > 1 && PROGRAMS.contains(&words[0]));
        found.extend(commands.map(|words| words.join(" ")));
    }
    Ok(found)
}

fn without_blocks(page: &str) -> String {
    let mut out = String::new();
    let mut inside = false;
    for line in page.lines() {
        if line.trim_start().starts_with("```") {
            inside = !inside;
        } else if !inside {
            out += line;
        }
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{Block, blocks, blocks_in, commands};

    const PAGE: &str = "One (`make tools`):\n\n```sh\na\n  b\n```\n\n3. Two:\n\n   ```\n   c\n\n   d\n   ```\n\nSee `helm\nlist` and `helm`.\n";

    #[test]
    fn blocks_are_found_with_what_stands_above_them_and_without_the_indentation_of_a_list() {
        let block = |language: &str, text: &str, above: &str, line| Block {
            language: language.into(),
            text: text.into(),
            above: above.into(),
            line,
        };
        let expect = [block("sh", "a\n  b\n", "One (`make tools`):", 3), block("", "c\n\nd\n", "3. Two:", 10)];
        assert_eq!(blocks_in(PAGE).unwrap(), expect);
        assert_eq!(blocks(PAGE, "sh").unwrap(), ["a\n  b\n"]);
    }

    #[test]
    fn a_block_that_is_only_indented_or_has_no_end_is_an_error() {
        for page in ["Two commands:\n\n    make demo\n", "```\na\n"] {
            assert!(blocks_in(page).is_err(), "{page}");
        }
    }

    #[test]
    fn commands_are_found_in_sentences_and_over_the_end_of_a_line_and_not_in_blocks() {
        assert_eq!(commands(PAGE).unwrap(), ["make tools", "helm list"]);
        assert_eq!(commands("```\n`make x`\n```\n").unwrap(), [""; 0]);
        assert!(commands("a ` b").is_err());
    }
}
