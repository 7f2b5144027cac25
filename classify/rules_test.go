package classify_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/backscatter-milter/backscatter-milter/classify"
)

// TestTables holds the tables to themselves: a row twice would count twice.
func TestTables(t *testing.T) {
	rows := classify.DefaultRules().List()
	if len(rows) < 500 {
		t.Errorf("%d rows, want 500 or more", len(rows))
	}
	seen := map[string]bool{}
	languages := map[string]map[string]bool{}
	for _, r := range rows {
		key := strings.ToLower(r.Speaks + "\t" + r.Where + "\t" + r.Pattern)
		if r.Weight == 0 {
			key += "\t" + r.Software // a word may be one in several languages
		}
		if seen[key] {
			t.Errorf("twice: %s", key)
		}
		seen[key] = true
		if r.Software == "" {
			t.Errorf("nobody's: %s", key)
		}
		for word := range strings.SplitSeq(r.Software, ", ") {
			if languages[r.Speaks] == nil {
				languages[r.Speaks] = map[string]bool{}
			}
			languages[r.Speaks][word] = true
		}
	}
	for speaks, want := range map[string]int{"bounce": 20, "auto-reply": 25} {
		n := 0
		for _, l := range strings.Fields("German French Spanish Italian Portuguese Dutch Swedish Danish Norwegian Finnish Icelandic Polish Czech Slovak " +
			"Hungarian Romanian Bulgarian Russian Ukrainian Croatian Serbian Slovenian Lithuanian Latvian Estonian Greek Turkish Hebrew Arabic Persian " +
			"Japanese Chinese Korean Vietnamese Indonesian Malay Thai Hindi Catalan Galician Basque Welsh Albanian Macedonian") {
			if languages[speaks][l] {
				n++
			}
		}
		if n < want {
			t.Errorf("%s in %d languages, want %d", speaks, n, want)
		}
	}
}

func TestParseRulesRefuses(t *testing.T) {
	tests := []struct{ line, want string }{
		{"bounce\tproof\tsubject\t^failed", "line 1: 4 columns, want 5: speaks, weight, where, pattern, software"},
		{"bounce\tsure\tsubject\t^failed\tx", `line 1: weight "sure", want hint, sign, proof or word`},
		{"boing\tproof\tsubject\t^failed\tx", `line 1: "boing": want one of bounce, auto-reply`},
		{"# comment\n\nbounce\tproof\tsubject\tab*cdef\tx", `line 3: pattern "ab*cdef": want 3 bytes or more before the first asterisk`},
		{"mail\tword\tsentence\tmessage | no\tEnglish", `line 1: pattern "no": want 3 bytes or more before the first asterisk`},
	}
	for _, tt := range tests {
		if _, err := classify.ParseRules(strings.NewReader(tt.line)); err == nil || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("%q: %v, want %s", tt.line, err, tt.want)
		}
	}
}

// TestPatterns shows what the signs in patterns mean.
func TestPatterns(t *testing.T) {
	tests := []struct {
		pattern, text string
		want          bool
	}{
		{"gone fishing", "I have GONE  fishing", true},
		{"gone fishing", "I have gone\r\nfishing", true},
		{"gone fishing", "I have begone fishing", false},
		{"fish", "fishing", true},
		{"^gone", "I am\ngone", true},
		{"^gone", "I am gone", false},
		{"gone$", "gone\nfishing", true},
		{"gone$", "gone fishing", false},
		{"gone * fishing", "gone away and then fishing", true},
		{"gone * fishing", "gone " + strings.Repeat("far ", 100) + "fishing", false},
		{"cafe ferme", "Café\u00a0fermé", true},
		{"Ответ", "ОТВЕТ", true},
		{"自動返信", "本日、自動返信です", true},
		{"l'absence", "l’absence", true},
	}
	for _, tt := range tests {
		rules, err := classify.NewRules([]classify.Rule{{Speaks: "bounce", Weight: 4, Where: "text", Pattern: tt.pattern, Software: "x"}})
		if err != nil {
			t.Fatal(err)
		}
		opts := classify.Options{Rules: rules, Envelope: &classify.Envelope{}}
		if _, r := push(opts, [][2]string{{"From", "x"}, {"Content-Type", "text/plain; charset=utf-8"}}, tt.text); (r.Class == classify.Bounce) != tt.want {
			t.Errorf("%q in %q: %v", tt.pattern, tt.text, !tt.want)
		}
	}
}

func ExampleParseRules() {
	more, err := classify.ParseRules(strings.NewReader("bounce\tproof\tsubject\t^brief nicht zugestellt\tExample Gateway\n"))
	if err != nil {
		fmt.Println(err)
		return
	}
	rules, err := classify.NewRules(append(classify.DefaultRules().List(), more...))
	if err != nil {
		fmt.Println(err)
		return
	}
	s := classify.New(classify.Options{Rules: rules, Envelope: &classify.Envelope{}})
	s.Header("From", " gateway@example.net")
	s.Header("Subject", " Brief nicht zugestellt")
	fmt.Println(s.Close().Class)
	// Output: bounce
}

func ExampleClassify() {
	const message = "Return-Path: <>\nFrom: MAILER-DAEMON@example.net\nSubject: failure notice\n\n" +
		"Hi. This is the qmail-send program at example.net.\n\n<bob@example.net>:\nno such user (#5.1.1)\n\n" +
		"--- Below this line is a copy of the message.\n\nFrom: alice@example.com\nTo: bob@example.net\nMessage-ID: <one@example.com>\n"
	r, err := classify.Classify(strings.NewReader(message), classify.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(r.Class, r.Action, r.Recipients[0].Final, r.Original.MessageID)
	// Output: bounce failed bob@example.net <one@example.com>
}
