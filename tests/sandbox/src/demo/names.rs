//! Names to draw from, each with its reading in full-width and in half-width katakana.

use rand::Rng as _;
use rand::rngs::StdRng;

/// A part of a name: as written, read, and read in half-width katakana.
pub(super) type Part = (&'static str, &'static str, &'static str);

const LAST: [Part; 24] = [
    ("髙橋", "タカハシ", "ﾀｶﾊｼ"),
    ("𠮷田", "ヨシダ", "ﾖｼﾀﾞ"),
    ("佐藤", "サトウ", "ｻﾄｳ"),
    ("鈴木", "スズキ", "ｽｽﾞｷ"),
    ("田中", "タナカ", "ﾀﾅｶ"),
    ("渡邊", "ワタナベ", "ﾜﾀﾅﾍﾞ"),
    ("伊藤", "イトウ", "ｲﾄｳ"),
    ("山本", "ヤマモト", "ﾔﾏﾓﾄ"),
    ("中村", "ナカムラ", "ﾅｶﾑﾗ"),
    ("小林", "コバヤシ", "ｺﾊﾞﾔｼ"),
    ("加藤", "カトウ", "ｶﾄｳ"),
    ("山﨑", "ヤマザキ", "ﾔﾏｻﾞｷ"),
    ("五十嵐", "イガラシ", "ｲｶﾞﾗｼ"),
    ("勅使河原", "テシガワラ", "ﾃｼｶﾞﾜﾗ"),
    ("長谷部", "ハセベ", "ﾊｾﾍﾞ"),
    ("別府", "ベップ", "ﾍﾞｯﾌﾟ"),
    ("服部", "ハットリ", "ﾊｯﾄﾘ"),
    ("大久保", "オオクボ", "ｵｵｸﾎﾞ"),
    ("神宮寺", "ジングウジ", "ｼﾞﾝｸﾞｳｼﾞ"),
    ("西園寺", "サイオンジ", "ｻｲｵﾝｼﾞ"),
    ("瀬戸", "セト", "ｾﾄ"),
    ("林", "ハヤシ", "ﾊﾔｼ"),
    ("柳", "ヤナギ", "ﾔﾅｷﾞ"),
    ("ブラウン", "ブラウン", "ﾌﾞﾗｳﾝ"),
];

const WOMEN: [Part; 10] = [
    ("花子", "ハナコ", "ﾊﾅｺ"),
    ("美咲", "ミサキ", "ﾐｻｷ"),
    ("さくら", "サクラ", "ｻｸﾗ"),
    ("由紀子", "ユキコ", "ﾕｷｺ"),
    ("真理", "マリ", "ﾏﾘ"),
    ("凛", "リン", "ﾘﾝ"),
    ("結衣", "ユイ", "ﾕｲ"),
    ("若菜", "ワカナ", "ﾜｶﾅ"),
    ("千鶴", "チヅル", "ﾁﾂﾞﾙ"),
    ("恵", "メグミ", "ﾒｸﾞﾐ"),
];

const MEN: [Part; 10] = [
    ("太郎", "タロウ", "ﾀﾛｳ"),
    ("健一", "ケンイチ", "ｹﾝｲﾁ"),
    ("翔", "ショウ", "ｼｮｳ"),
    ("大輔", "ダイスケ", "ﾀﾞｲｽｹ"),
    ("蓮", "レン", "ﾚﾝ"),
    ("隼人", "ハヤト", "ﾊﾔﾄ"),
    ("陽介", "ヨウスケ", "ﾖｳｽｹ"),
    ("純", "ジュン", "ｼﾞｭﾝ"),
    ("慎之介", "シンノスケ", "ｼﾝﾉｽｹ"),
    ("𠮷次郎", "キチジロウ", "ｷﾁｼﾞﾛｳ"),
];

/// A family name.
pub(super) fn last(random: &mut StdRng) -> Part {
    LAST[random.random_range(0..LAST.len())]
}

/// A family name other than `this`.
pub(super) fn another_last(random: &mut StdRng, this: Part) -> Part {
    loop {
        let other = last(random);
        if other.0 != this.0 {
            return other;
        }
    }
}

/// A given name that goes with 男性 or 女性.
pub(super) fn first(random: &mut StdRng, gender: &str) -> Part {
    let names = if gender == "女性" { &WOMEN } else { &MEN };
    names[random.random_range(0..names.len())]
}
