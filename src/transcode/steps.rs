//! How the characters at the start of twelve bytes are taken apart, for all ways in which they may lie.

/// What is done with the start of twelve bytes.
#[derive(Clone, Copy)]
pub struct Step {
    /// Where in `ORDERS` it says which byte goes where; its range says what comes out.
    pub order: u8,
    /// Bytes that the characters take.
    pub bytes: u8,
}

/// Up to here, orders are for six characters of one or two bytes each, in lanes of 16 bits.
pub const SIX: u8 = 1 << 6;
/// From there up to here, for four characters of up to three bytes, in lanes of 32 bits.
pub const FOUR: u8 = SIX + 3u8.pow(4);
/// From there up to here, for three characters of up to four bytes, in lanes of 32 bits.
pub const THREE: u8 = FOUR + 4u8.pow(3);
/// For twelve characters of one byte, which stay where they are.
pub const ASCII: u8 = THREE;

/// By the bits that tell which of twelve bytes end a character, the first byte being the lowest.
pub static STEPS: [Step; 1 << 12] = {
    let mut steps = [Step { order: ASCII, bytes: 12 }; 1 << 12];
    let mut ends = 0;
    while ends < steps.len() - 1 {
        steps[ends] = step(ends);
        ends += 1;
    }
    steps
};

/// More than there are, so that no index is out of bounds.
pub static ORDERS: [[u8; 16]; 256] = {
    let mut orders = [[0x80; 16]; 256];
    let mut index = 0;
    while index < SIX {
        orders[index as usize] = order(index, 6, 2);
        index += 1;
    }
    while index < FOUR {
        orders[index as usize] = order(index - SIX, 4, 3);
        index += 1;
    }
    while index < THREE {
        orders[index as usize] = order(index - FOUR, 3, 4);
        index += 1;
    }
    orders
};

/// As many characters as possible at once.
const fn step(ends: usize) -> Step {
    if let Some((digits, bytes)) = lengths(ends, 6, 2) {
        return Step { order: digits, bytes };
    }
    if let Some((digits, bytes)) = lengths(ends, 4, 3) {
        return Step { order: SIX + digits, bytes };
    }
    match lengths(ends, 3, 4) {
        Some((digits, bytes)) => Step { order: FOUR + digits, bytes },
        // Not UTF-8: whatever it yields, no byte is passed by.
        None => Step { order: FOUR, bytes: 3 },
    }
}

/// The lengths of the first `count` characters, each less one, as digits of a number, and their sum;
/// `None` if there are not so many, or one has more than `longest` bytes.
const fn lengths(ends: usize, count: u8, longest: u8) -> Option<(u8, u8)> {
    let (mut digits, mut place, mut found, mut start, mut byte) = (0, 1, 0, 0, 0);
    while found < count {
        if byte == 12 || byte - start == longest {
            return None;
        }
        byte += 1;
        if ends >> (byte - 1) & 1 == 1 {
            digits += (byte - start - 1) * place;
            // The last place may be out of what a byte holds, and is not used.
            place = place.wrapping_mul(longest);
            start = byte;
            found += 1;
        }
    }
    Some((digits, byte))
}

/// Where each byte of each lane comes from: the last byte of its character, then those before it.
const fn order(mut digits: u8, count: usize, longest: u8) -> [u8; 16] {
    let size = if longest == 2 { 2 } else { 4 };
    let (mut order, mut end, mut lane) = ([0x80; 16], 0, 0);
    while lane < count {
        let length = digits % longest + 1;
        digits /= longest;
        end += length;
        let mut byte = 0;
        while byte < length {
            order[lane * size + byte as usize] = end - 1 - byte;
            byte += 1;
        }
        lane += 1;
    }
    order
}
