package classify

import (
	"slices"
	"strings"
	"testing"
)

// TestWords wants of each word that it is heard where it stands in a sentence.
func TestWords(t *testing.T) {
	rules := DefaultRules()
	s := rules.sentences
	heard := func(text string, m meaning) bool {
		var ideas [maxIdeas]uint64
		s.listen(fold(nil, []byte(text)), &ideas)
		return ideas[m.idea]&m.language != 0
	}
	words := 0
	for i, r := range rules.rules {
		if r.Weight != weighsNothing {
			continue
		}
		words++
		text := strings.ReplaceAll(strings.TrimSuffix(r.Pattern, "_"), "*", "...")
		if !heard("1, "+text+" 1", s.meanings[i]) {
			t.Errorf("%s, %s: %q is not heard", r.Speaks, r.Software, r.Pattern)
		}
	}
	if words < 5000 || len(s.languages) < 40 {
		t.Errorf("%d words in %d languages, want 5000 and 40", words, len(s.languages))
	}
}

func TestSentences(t *testing.T) {
	list, err := ParseRules(strings.NewReader("mail\tword\tsentence\tmessage | mail_\tEnglish\n" +
		"arrive\tword\tsentence\tarrived | got * safely\tEnglish\nmail\tword\tsentence\tнаш_\tBulgarian\n" +
		"goods\tword\tsentence\tparcel\tEnglish\narrive\tword\tsentence\tangekommen\tGerman\nmail\tword\tsentence\tnachricht | 邮件\tGerman\n" +
		"auto-reply\tsign\tsentence\tmail arrive !goods\treceived\nauto-reply\thint\tsentence\tmail number\tnumbered\n" +
		"auto-reply\thint\tsentence\tmail reach\treachable\n"))
	if err != nil {
		t.Fatal(err)
	}
	rules, err := NewRules(list)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct{ text, want string }{
		{"Your message arrived.", "received"},
		{"It arrived: your\r\nmessage", "received"},
		{"We got your mail safely!", "received"},
		{"I sent a message. It arrived.", ""},
		{"I sent a message 2019. It arrived.", "numbered"},
		{"Your message of 17. May arrived.", "numbered received"},
		{"Your message? Arrived!", ""},
		{"Your parcel arrived with the message.", ""},
		{"Deine Nachricht ist angekommen", "received"},
		{"Deine Nachricht: arrived", ""},
		{"A mailman arrived", ""},
		{"нашла 1, ваш 1", ""},
		{"ваш 1, наш 1", "numbered"},
		{"邮件1。angekommen", "numbered"},
		{"message to bob@example.net", "reachable"},
		{"message by 0555 014-200", "numbered reachable"},
		{"message " + strings.Repeat("word ", 100) + "arrived", ""},
	}
	for _, tt := range tests {
		var got []string
		rules.sentences.read(fold(nil, []byte(tt.text)), func(rule int, _ uint64, _ []byte) { got = append(got, rules.rules[rule].Software) })
		slices.Sort(got)
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%.60q: %q, want %q", tt.text, got, tt.want)
		}
	}
	if _, err := NewRules([]Rule{{"auto-reply", 2, inSentence, "mail", "x"}}); err == nil || err.Error() != `pattern "mail": no words for "mail"` {
		t.Errorf("a concept of no words: %v", err)
	}
}

// TestOneLanguage wants concepts of different languages not to add up.
func TestOneLanguage(t *testing.T) {
	s := New(Options{})
	s.hear("text", fold(nil, []byte("Ich bin im Urlaub. Nous vous répondrons sous deux jours. En cas d'urgence, 05 55 01 42 00.")))
	if count, weight := s.told(string(AutoReply)); count != 2 || weight != 3 {
		t.Errorf("%d concepts that weigh %d, want the 2 in French that weigh 3", count, weight)
	}
	if s.says(string(AutoReply), "away") || !s.says(string(AutoReply), "soon") {
		t.Error("what is said in German counts beside what is said in French")
	}
}

// TestAttributesAreNoReply wants the numbers in the tags of a page not to be read
// as what a server answered.
func TestAttributesAreNoReply(t *testing.T) {
	r, err := Classify(strings.NewReader("Return-Path: <>\nFrom: bob@example.net\nSubject: x\nContent-Type: text/html\n\n"+
		"<table width=550 border=1><tr><td>I am on holiday until 9 November.</td></tr></table>\n"), Options{})
	if err != nil || r.Class != AutoReply {
		t.Errorf("%s, %v, by:%s", r.Class, err, evidenceLines(r))
	}
	for _, e := range r.Evidence {
		if e.Signal == "smtp-reply" {
			t.Errorf("a tag is taken for a reply: %q", e.Value)
		}
	}
}

// TestEnvelopeTells wants rules for return-path to see the sender that SMTP told.
func TestEnvelopeTells(t *testing.T) {
	for sender, want := range map[string]Class{"challenge-17@example.net": Challenge, "bob@example.net": Ordinary} {
		s := New(Options{Envelope: &Envelope{Sender: sender}})
		for _, f := range [][2]string{{"From", "Bob <bob@example.net>"}, {"Subject", "your note"}, {"Return-Path", "<challenge-9@example.net>"}} {
			s.Header(f[0], f[1])
		}
		if _, err := s.Write([]byte("I do not know you, so your e-mail is held. Click http://example.net/k/1 to let it go through.\n")); err != nil {
			t.Fatal(err)
		}
		if r := s.Close(); r.Class != want {
			t.Errorf("%s: %s, want %s", sender, r.Class, want)
		}
	}
}
