package classify

import (
	"bytes"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/emersion/go-message/charset"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"
	"golang.org/x/text/encoding/unicode"
)

// toUTF8 converts text from the charset called name. What the name does not
// fit, or says nothing about, is guessed. The result may share memory with text.
func toUTF8(name string, text []byte) []byte {
	if isASCII(text) && !bytes.ContainsRune(text, 0x1b) && !mayHideInASCII(name) {
		return text
	}
	enc, known := findEncoding(name)
	switch {
	case enc != nil:
		if out, err := enc.NewDecoder().Bytes(text); err == nil {
			return out
		}
	case known: // UTF-7
		return decodeUTF7(text)
	case name != "" && !isUTF8Name(name):
		if r, err := charset.Reader(name, bytes.NewReader(text)); err == nil {
			if out, err := io.ReadAll(r); err == nil {
				return out
			}
		}
	}
	return guess(text)
}

// mayHideInASCII reports whether text of this charset says other things than
// its ASCII bytes do.
func mayHideInASCII(name string) bool {
	name = charsetKey(name)
	return strings.Contains(name, "utf7") || strings.HasPrefix(name, "utf16") || strings.HasPrefix(name, "hz") || strings.Contains(name, "ebcdic")
}

func isUTF8Name(name string) bool {
	name = charsetKey(name)
	return name == "utf8" || name == "usascii" || name == "ascii" || name == "unicode11utf8" || name == "unknown8bit" || name == "8bit"
}

// guess reads text whose charset is not known, or wrong.
func guess(text []byte) []byte {
	var enc encoding.Encoding = charmap.Windows1252
	switch {
	case bytes.Contains(text, []byte("\x1b$")):
		enc = japanese.ISO2022JP
	case utf8.Valid(text):
		return text
	case looksEUCJP(text):
		enc = japanese.EUCJP
	}
	out, err := enc.NewDecoder().Bytes(text)
	if err != nil {
		return text
	}
	return out
}

// looksEUCJP reports whether text has hiragana of EUC-JP and nothing that
// EUC-JP cannot have.
func looksEUCJP(text []byte) bool {
	kana := 0
	for i := 0; i < len(text); i++ {
		c := text[i]
		if c < 0x80 {
			continue
		}
		if c < 0x8e || i+1 >= len(text) || text[i+1] < 0xa1 {
			return false
		}
		if c == 0xa4 {
			kana++
		}
		i++
	}
	return kana >= 3
}

func isASCII(text []byte) bool {
	for _, c := range text {
		if c >= 0x80 {
			return false
		}
	}
	return true
}

// charsetKey is name without what people write differently.
func charsetKey(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case 'A' <= r && r <= 'Z':
			return r + 'a' - 'A'
		case 'a' <= r && r <= 'z' || '0' <= r && r <= '9':
			return r
		}
		return -1
	}, name)
}

// findEncoding knows the names that the registry of IANA does not have, or that
// are mostly misspelt. A nil encoding that is known is UTF-7.
func findEncoding(name string) (enc encoding.Encoding, known bool) {
	key := charsetKey(name)
	if strings.Contains(key, "utf7") {
		return nil, true
	}
	key = strings.TrimPrefix(strings.TrimPrefix(key, "x"), "cs")
	for _, row := range charsetNames {
		for _, n := range row.names {
			if n == key {
				return row.enc, true
			}
		}
	}
	if digits, ok := cutAny(key, "windows", "win", "cp", "ansi", "microsoftcp", "mscp", "ibm", "dos"); ok {
		if enc := codePage(digits); enc != nil {
			return enc, true
		}
	}
	if digits, ok := cutAny(key, "iso8859", "8859", "iso88859", "iso", "latin"); ok {
		if enc := isoPart(digits, strings.HasPrefix(key, "latin")); enc != nil {
			return enc, true
		}
	}
	return nil, false
}

func cutAny(s string, prefixes ...string) (string, bool) {
	for _, p := range prefixes {
		if after, ok := strings.CutPrefix(s, p); ok {
			return after, true
		}
	}
	return "", false
}

var charsetNames = []struct {
	enc   encoding.Encoding
	names []string
}{
	{japanese.ShiftJIS, []string{"cp932", "sjis", "shiftjis", "shiftjisms", "mskanji", "windows31j", "ms932", "windows932"}},
	{japanese.EUCJP, []string{"eucjp", "euc", "ujis", "eucjpms", "eucjpwin", "cp51932"}},
	{japanese.ISO2022JP, []string{"iso2022jp", "jis", "iso2022jp1", "iso2022jp2", "iso2022jp3", "iso2022jpms", "cp50220", "cp50221", "cp50222", "2022jp"}},
	{korean.EUCKR, []string{"euckr", "ksc56011987", "ksc5601", "cp949", "uhc", "euckrkr", "ks56011987", "ksc56011992", "korean", "windows949"}},
	{simplifiedchinese.GB18030, []string{"gb18030", "gb2312", "gbk", "cp936", "euccn", "gb231280", "eucgb2312cn", "chinese", "windows936", "gb"}},
	{traditionalchinese.Big5, []string{"big5", "cp950", "big5hkscs", "big5tw", "windows950", "five"}},
	{charmap.KOI8R, []string{"koi8r", "koi8", "koi", "cp20866", "koi8ru"}},
	{charmap.KOI8U, []string{"koi8u", "cp21866"}},
	{charmap.Macintosh, []string{"macintosh", "mac", "macroman", "applemacroman"}},
	{charmap.MacintoshCyrillic, []string{"maccyrillic"}},
	{charmap.Windows874, []string{"tis620", "cp874", "iso885911"}},
	{charmap.ISO8859_8, []string{"iso88598i", "iso88598e", "visual", "logical"}},
	{unicode.UTF16(unicode.BigEndian, unicode.UseBOM), []string{"utf16", "unicode", "ucs2"}},
}

// codePage returns the encoding of a code page of DOS or Windows, or nil.
func codePage(digits string) encoding.Encoding {
	pages := map[string]encoding.Encoding{
		"437": charmap.CodePage437, "850": charmap.CodePage850, "852": charmap.CodePage852, "855": charmap.CodePage855,
		"858": charmap.CodePage858, "860": charmap.CodePage860, "862": charmap.CodePage862, "863": charmap.CodePage863,
		"865": charmap.CodePage865, "866": charmap.CodePage866, "874": charmap.Windows874,
		"1250": charmap.Windows1250, "1251": charmap.Windows1251, "1252": charmap.Windows1252, "1253": charmap.Windows1253,
		"1254": charmap.Windows1254, "1255": charmap.Windows1255, "1256": charmap.Windows1256, "1257": charmap.Windows1257,
		"1258": charmap.Windows1258, "037": charmap.CodePage037, "1140": charmap.CodePage1140, "1047": charmap.CodePage1047,
	}
	return pages[digits]
}

// isoPart returns the encoding of a part of ISO 8859, given by its number or,
// for the Latin alphabets, by theirs.
func isoPart(digits string, latin bool) encoding.Encoding {
	digits = strings.TrimPrefix(digits, "8859")
	if latin {
		digits = map[string]string{"1": "1", "2": "2", "3": "3", "4": "4", "5": "9", "6": "10", "7": "13", "8": "14", "9": "15", "10": "16"}[digits]
	}
	parts := map[string]encoding.Encoding{
		"1": charmap.Windows1252, "2": charmap.ISO8859_2, "3": charmap.ISO8859_3, "4": charmap.ISO8859_4, "5": charmap.ISO8859_5,
		"6": charmap.ISO8859_6, "7": charmap.ISO8859_7, "8": charmap.ISO8859_8, "9": charmap.Windows1254, "10": charmap.ISO8859_10,
		"13": charmap.ISO8859_13, "14": charmap.ISO8859_14, "15": charmap.ISO8859_15, "16": charmap.ISO8859_16,
	}
	return parts[digits]
}
