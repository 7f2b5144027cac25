package dkim

import (
	"bytes"
	"crypto"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	msgauth "github.com/emersion/go-msgauth/dkim"
	"pgregory.net/rapid"
)

// TestCompare has go-msgauth sign whole messages of any shape. What it verifies
// passes here too, headers altered behind that fail with both.
func TestCompare(t *testing.T) {
	keys := ourKeys()
	rapid.Check(t, func(t *rapid.T) {
		header := drawHeader(t)
		message := strings.Join(header, "") + "\r\nA body.\r\n"
		options := drawSigning(t)
		var signed bytes.Buffer
		if err := msgauth.Sign(&signed, strings.NewReader(message), options); err != nil {
			t.Fatal(err)
		}
		text := signed.String()
		switch rapid.IntRange(0, 3).Draw(t, "change") {
		case 1:
			text = flip(t, text)
		case 2: // what a hop adds
			text = "Received: from a by b\r\n" + drawField(t) + text
		case 3: // refolded
			text = strings.Replace(text, " ", "\r\n ", rapid.IntRange(1, 9).Draw(t, "folds"))
		}
		theirs, err := msgauth.VerifyWithOptions(strings.NewReader(text), &msgauth.VerifyOptions{
			LookupTXT: func(name string) ([]string, error) { return []string{keys[name]}, nil },
		})
		if err != nil || len(theirs) != 1 {
			return // altered past reading
		}
		block, _, _ := strings.Cut(text, "\r\n\r\n")
		o := Options{Ours: func(string) bool { return true }, Keys: keys}
		ours := Verify(t.Context(), []byte(block+"\r\n"), o)
		ok := len(ours.Signatures) == 1 && ours.Signatures[0].Status >= FromUnsigned
		if ok != (theirs[0].Err == nil) {
			t.Fatalf("ours: %+v\ntheirs: %v\n%q", ours, theirs[0].Err, text)
		}
	})
}

func drawSigning(t *rapid.T) *msgauth.SignOptions {
	k := testKeys()
	o := &msgauth.SignOptions{Domain: "example.com", Selector: "rsa", Signer: k.rsa2048, Hash: crypto.SHA256}
	if rapid.Bool().Draw(t, "ed25519") {
		o.Selector, o.Signer = "ed", *k.ed
	}
	if rapid.Bool().Draw(t, "relaxed") {
		o.HeaderCanonicalization = msgauth.CanonicalizationRelaxed
	}
	o.HeaderKeys = append(rapid.SliceOfN(fieldNames(), 0, 12).Draw(t, "h"), "From")
	if rapid.Bool().Draw(t, "i") {
		o.Identifier = "alice@news.example.com"
	}
	return o
}

func fieldNames() *rapid.Generator[string] {
	return rapid.SampledFrom([]string{"From", "To", "Subject", "subject", "Date", "Message-ID", "X-A", "x-a", "CC", "Received"})
}

// drawHeader gives fields with their CRLF, one From among them.
func drawHeader(t *rapid.T) []string {
	header := []string{"From: Alice <alice@example.com>\r\n"}
	for range rapid.IntRange(0, 10).Draw(t, "fields") {
		header = append(header, drawField(t))
	}
	rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "order"), 0)).Shuffle(len(header), func(i, j int) { header[i], header[j] = header[j], header[i] })
	return header
}

func drawField(t *rapid.T) string {
	name := fieldNames().Filter(func(n string) bool { return n != "From" }).Draw(t, "name")
	value := rapid.SliceOfN(rapid.SampledFrom([]string{
		"a", "Bcd", "é", "=", ";", ":", "<x@example.net>", " ", "  ", "\t", "\r\n ", "\r\n\t", "\r\n  ", " \r\n ",
	}), 0, 12).Draw(t, "value")
	field := strings.Join(value, "")
	if strings.TrimSpace(field) == "" || strings.TrimSpace(field[strings.LastIndex(field, "\n")+1:]) == "" {
		field += "end"
	}
	return fmt.Sprintf("%s:%s%s\r\n", name, rapid.SampledFrom([]string{"", " ", "\t "}).Draw(t, "gap"), field)
}

// flip changes a letter of the header.
func flip(t *rapid.T, text string) string {
	n := strings.Index(text, "\r\n\r\n")
	at := rapid.IntRange(0, n-1).Draw(t, "at")
	for at < n && !isLetter(text[at]) {
		at++
	}
	if at == n {
		return text
	}
	return text[:at] + string(text[at]^1|0x40) + text[at+1:]
}
