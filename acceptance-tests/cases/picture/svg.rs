//! What a terminal shows, as a picture: text with the colours of ANSI sequences becomes an SVG.
//!
//! It brings its own background and colours that can be read on it, so it is the same on a light and on a dark page. Places
//! are counted in columns, and each piece of text is fitted to its columns, so any monospaced font will do and none is
//! fetched.

use std::fmt::Write as _;

use anyhow::{Context, Result, bail};

const BACKGROUND: &str = "#0d1117";
const BORDER: &str = "#57606a";
const FONT: &str = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'Liberation Mono', monospace";
/// In hundredths of a pixel: whole numbers, so that every machine writes the same digits.
const COLUMN: usize = 780;
const LINE: usize = 1900;
const MARGIN: usize = 1600;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Colour {
    #[default]
    Plain,
    Red,
    Green,
    Yellow,
    Cyan,
    Grey,
}

impl Colour {
    #[cfg(test)]
    const ALL: [Self; 6] = [Self::Plain, Self::Red, Self::Green, Self::Yellow, Self::Cyan, Self::Grey];

    fn code(self) -> &'static str {
        match self {
            Self::Plain => "#e6edf3",
            Self::Red => "#ffa198",
            Self::Green => "#7ee787",
            Self::Yellow => "#f2cc60",
            Self::Cyan => "#76e3ea",
            Self::Grey => "#a9b1ba",
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Style {
    colour: Colour,
    bold: bool,
}

impl Style {
    /// After the parameter of one `ESC [ … m` (ECMA-48, 8.3.117).
    fn then(self, parameter: &str) -> Result<Self> {
        let colour = |colour| Self { colour, ..self };
        Ok(match parameter {
            "" | "0" => Self::default(),
            "1" => Self { bold: true, ..self },
            // An underlined word is none the worse for not being so.
            "4" => self,
            "31" => colour(Colour::Red),
            "32" => colour(Colour::Green),
            "33" => colour(Colour::Yellow),
            "36" => colour(Colour::Cyan),
            "90" => colour(Colour::Grey),
            "39" => colour(Colour::Plain),
            other => bail!("nothing is known of the ANSI parameter {other:?}"),
        })
    }
}

/// Text of one style, from this column on.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Piece {
    column: usize,
    style: Style,
    text: String,
}

/// The picture of this text.
pub(super) fn svg(title: &str, description: &str, text: &str) -> Result<String> {
    let mut style = Style::default();
    let lines = text.lines().map(|line| pieces(line, &mut style)).collect::<Result<Vec<_>>>()?;
    let ends = lines.iter().flatten().map(|piece| piece.column + piece.text.chars().count());
    let width = ends.max().context("nothing is to be shown")? * COLUMN + 2 * MARGIN;
    let height = lines.len() * LINE + 2 * MARGIN;
    let (width, height) = (pixels(width), pixels(height));
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" \
         role=\"img\" aria-labelledby=\"title description\" xml:space=\"preserve\">\n\
         <title id=\"title\">{}</title>\n<desc id=\"description\">{}</desc>\n\
         <rect x=\"0.5\" y=\"0.5\" width=\"{}\" height=\"{}\" rx=\"8\" fill=\"{BACKGROUND}\" stroke=\"{BORDER}\"/>\n\
         <g font-family=\"{FONT}\" font-size=\"13\">\n",
        escaped(title),
        escaped(description),
        // Half a pixel on each side is the border's.
        less_one(&width)?,
        less_one(&height)?,
    );
    for (row, line) in lines.iter().enumerate() {
        for piece in line {
            draw(&mut out, row, piece)?;
        }
    }
    out.push_str("</g>\n</svg>\n");
    Ok(out)
}

/// The text without its colours.
pub(super) fn plain(line: &str) -> String {
    let mut out = String::new();
    let mut rest = line;
    while let Some((before, after)) = rest.split_once("\u{1b}[") {
        out.push_str(before);
        rest = after.split_once('m').map_or("", |(_, rest)| rest);
    }
    out + rest
}

/// The pieces of a line, without the blanks around them; `style` goes on from line to line.
fn pieces(line: &str, style: &mut Style) -> Result<Vec<Piece>> {
    let mut found = Vec::new();
    let mut column = 0;
    for (index, part) in line.split("\u{1b}[").enumerate() {
        let text = if index == 0 {
            part
        } else {
            let (parameters, text) = part.split_once('m').context("an escape sequence that sets no colour")?;
            *style = parameters.split(';').try_fold(*style, Style::then)?;
            text
        };
        if !text.trim().is_empty() {
            let column = column + text.chars().count() - text.trim_start().chars().count();
            found.push(Piece { column, style: *style, text: text.trim().to_owned() });
        }
        column += text.chars().count();
    }
    Ok(found)
}

fn draw(out: &mut String, row: usize, piece: &Piece) -> Result<()> {
    let x = pixels(MARGIN + piece.column * COLUMN);
    // The line's foot is a little above its end.
    let y = pixels(MARGIN + (row + 1) * LINE - 500);
    let length = pixels(piece.text.chars().count() * COLUMN);
    let weight = if piece.style.bold { " font-weight=\"bold\"" } else { "" };
    writeln!(
        out,
        "<text x=\"{x}\" y=\"{y}\" textLength=\"{length}\" lengthAdjust=\"spacingAndGlyphs\" fill=\"{}\"{weight}>{}</text>",
        piece.style.colour.code(),
        escaped(&piece.text)
    )?;
    Ok(())
}

fn pixels(hundredths: usize) -> String {
    let text = format!("{}.{:02}", hundredths / 100, hundredths % 100);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn less_one(pixels: &str) -> Result<String> {
    let (whole, rest) = pixels.split_at(pixels.find('.').unwrap_or(pixels.len()));
    Ok(format!("{}{rest}", whole.parse::<usize>()? - 1))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::{BACKGROUND, Colour, Piece, Style, pieces, pixels, plain, svg};

    #[test]
    fn a_line_becomes_pieces_at_their_columns_and_a_style_goes_on_into_the_next() {
        let mut style = Style::default();
        let found = pieces("  \u{1b}[33m~\u{1b}[0m a = 1 \u{1b}[1m\u{1b}[90m-> x", &mut style).unwrap();
        let piece =
            |column, colour, bold, text: &str| Piece { column, style: Style { colour, bold }, text: text.into() };
        let expect = [
            piece(2, Colour::Yellow, false, "~"),
            piece(4, Colour::Plain, false, "a = 1"),
            piece(10, Colour::Grey, true, "-> x"),
        ];
        assert_eq!(found, expect);
        assert_eq!(pieces("y", &mut style).unwrap(), [piece(0, Colour::Grey, true, "y")]);
        assert_eq!(plain("  \u{1b}[33m~\u{1b}[0m a"), "  ~ a");
    }

    #[test]
    fn what_is_not_known_is_an_error_and_no_wrong_picture() {
        for line in ["\u{1b}[35mx", "\u{1b}[2J"] {
            assert!(pieces(line, &mut Style::default()).is_err(), "{line:?}");
        }
        assert!(svg("t", "d", "\n\n").is_err());
    }

    #[test]
    fn text_is_escaped_and_every_number_is_exact() {
        let picture = svg("a < b", "d", "x -> \"&\"").unwrap();
        assert!(picture.contains("<title id=\"title\">a &lt; b</title>"), "{picture}");
        assert!(picture.contains(">x -&gt; \"&amp;\"</text>"), "{picture}");
        assert!(picture.contains("width=\"94.4\" height=\"51\""), "{picture}");
        assert_eq!([pixels(1600), pixels(1780), pixels(1785)], ["16", "17.8", "17.85"]);
    }

    /// Of 7 to 1 and more, which WCAG 2.2 asks for at its highest level (1.4.6).
    #[test]
    fn each_colour_has_the_contrast_that_people_with_weak_sight_need() {
        for colour in Colour::ALL {
            let contrast = (luminance(colour.code()) + 0.05) / (luminance(BACKGROUND) + 0.05);
            assert!(contrast >= 7.0, "{colour:?}: {contrast:.1}");
        }
    }

    fn luminance(code: &str) -> f64 {
        let part = |at: usize| {
            let value = f64::from(u8::from_str_radix(&code[at..at + 2], 16).unwrap()) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * part(1) + 0.7152 * part(3) + 0.0722 * part(5)
    }
}
