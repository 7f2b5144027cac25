package flood

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func normal(s string) string {
	var w words
	w.read(s)
	return string(w.out[:w.n])
}

func TestNormalise(t *testing.T) {
	for _, c := range []struct{ subject, want string }{
		{"", ""},
		{" \t ", ""},
		{"Undelivered Mail Returned to Sender", "undelivered mail returned to sender"},
		{"UNDELIVERED  mail\treturned: to (Sender)", "undelivered mail returned to sender"},
		{"Mail delivery failed: returning message to sender", "mail delivery failed returning message to sender"},
		{"Delivery failure (alice@example.com)", "delivery failure"},
		{"Delivery failure <prvs=3730576ed6=alice+x@mail.example.com>, sorry", "delivery failure sorry"},
		{"Message <20261122.4F3A@mx1.example.com> could not be delivered", "message could not be delivered"},
		{"failure notice for mx.example.com", "failure notice for"},
		{"[Ticket #48151623] Re: your mail", "ticket re your mail"},
		{"[ABC-1234-XYZ] Re: your mail", "re your mail"},
		{"Case 5F3a91c0 opened on 2026-11-22 12:30:45", "case opened on"},
		{"id 550e8400-e29b-41d4-a716-446655440000 done", "id done"},
		{"ref aGVsbG8gd29ybGQhISE= done", "ref done"},
		{"ref qTzUvWxYaBcDeFgHiJ done", "ref done"},
		{"a_b under_scored done", "done"},
		{"auto-reply: and/or O'Brien’s", "auto reply and or obriens"},
		{"Sentence one. Sentence two.", "sentence one sentence two"},
		{"soft\u00adhyphen zero\u200bwidth", "softhyphen zerowidth"},
		{"Unzustellbar: Rückläufer für müller@example.com", "unzustellbar rückläufer für"},
		{"Доставка НЕ удалась: сообщение 77", "доставка не удалась сообщение"},
		{"您的邮件12345无法送达alice@example.com请检查", "您的邮件 无法送达 请检查"},
		{"配信不能のお知らせ(第3回)", "配信不能のお知らせ 第 回"},
		{"alice@example.com에게 전달되지 않았습니다", "에게 전달되지 않았습니다"},
		{"ส่งไม่สำเร็จ 12:30", "ส่งไม่สำเร็จ"},
		{"رسالة رقم ٤٥٦ لم تصل", "رسالة رقم لم تصل"},
		{"संदेश १२३ नहीं पहुँचा", "संदेश नहीं पहुँचा"},
		{"１２３ ＡＢＣ", "ａｂｃ"},
		{"½ ² Ⅷ ok", "ok"},
		{"!!! *** 📬 ***", ""},
		{"raw \xff\xfe octets \x00 here", "raw octets here"},
		{strings.Repeat("x", 41) + " " + strings.Repeat("y", 40), strings.Repeat("y", 40)},
		{"=?utf-8?Q?not_decoded?=", "q"},
	} {
		if got := normal(c.subject); got != c.want {
			t.Errorf("%q: got %q, want %q", c.subject, got, c.want)
		}
	}
}

// TestSameSubject: what differs in numbers, ids and addresses alone is one
// subject; what differs in a word is two.
func TestSameSubject(t *testing.T) {
	f := newSite(t, nil)
	a := f.Subject("Mail to <a1@example.com> failed (id 3b2c, 12:01)")
	if b := f.Subject("MAIL to <b.c@example.net> failed (id 99, 23:59)"); a != b {
		t.Errorf("%q and %q differ", a.String(), b.String())
	}
	if b := f.Subject("Mail from <a1@example.com> failed (id 3b2c, 12:01)"); a == b {
		t.Error("two subjects are one")
	}
	if f.Subject("") == (Subject{}) || f.Subject("") != f.Subject("17 (!)") {
		t.Error("an empty subject is not known as such")
	}
	long := strings.Repeat("words ", 40)
	if f.Subject(long+"one") == f.Subject(long+"two") {
		t.Error("two subjects that begin alike are one")
	}
	if s := f.Subject(strings.Repeat("é", 40) + " " + strings.Repeat("é", 40)); !utf8.ValidString(s.String()) || len(s.String()) > maxShown {
		t.Errorf("shown: %q", s.String())
	}
}

// TestHugeSubject: only the beginning is looked at.
func TestHugeSubject(t *testing.T) {
	f := newSite(t, nil)
	for _, part := range []string{"word ", "x", "1", "é", "\xff", "@", "漢", "a1b2 "} {
		huge := strings.Repeat(part, 1<<20/len(part))
		a, b := f.Subject(huge), f.Subject(huge[:maxSubject])
		if a != b {
			t.Errorf("%q repeated: %q, and without its end %q", part, a.String(), b.String())
		}
		if n := len(normal(huge)); n > maxNormalised {
			t.Errorf("%q repeated: %d octets", part, n)
		}
	}
}

func FuzzNormalise(f *testing.F) {
	for _, s := range []string{
		"Undelivered Mail Returned to Sender", "Delivery failure (alice@example.com) 12:30", "您的邮件12345无法送达",
		"[ABC-1234] Re: a.b.c _ = aGVsbG8gd29ybGQhISE=", "\xff\xc3(\u200b\u0301 İǅﬃẞ", strings.Repeat("Ab", 400), "ส่งไม่สำเร็จ",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, subject string) {
		got := normal(subject)
		if !utf8.ValidString(got) || len(got) > maxNormalised {
			t.Fatalf("%q: %q", subject, got)
		}
		for _, r := range got {
			if r != ' ' && !unicode.IsLetter(r) && !unicode.IsMark(r) {
				t.Fatalf("%q: %q has %q", subject, got, r)
			}
		}
		if strings.TrimSpace(got) != got || strings.Contains(got, "  ") {
			t.Fatalf("%q: spaces in %q", subject, got)
		}
		if again := normal(got); again != got {
			t.Fatalf("%q: %q, and normalised again %q", subject, got, again)
		}
		digits := strings.Map(func(r rune) rune {
			if '0' <= r && r <= '9' {
				return '9' - (r - '0')
			}
			return r
		}, strings.ToValidUTF8(subject, ""))
		if other := normal(digits); utf8.ValidString(subject) && other != got {
			t.Fatalf("%q: %q, with other digits %q", subject, got, other)
		}
	})
}
