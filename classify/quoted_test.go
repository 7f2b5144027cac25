package classify

import (
	"bytes"
	"strings"
	"testing"
)

// TestGoldenQuoted wants of every golden notification that it is none any more
// once a person answers it, asks what it is and shows its source, forwards it as
// an attachment, or once it stands in a list's digest: the words of every rule
// in other hands.
func TestGoldenQuoted(t *testing.T) {
	for _, g := range goldens(t) {
		for _, q := range quotations(g) {
			t.Run(q.name, func(t *testing.T) {
				r, err := Classify(bytes.NewReader(q.message), Options{})
				if err != nil {
					t.Fatal(err)
				}
				if r.Class.IsNotification() {
					t.Errorf("%s, by:%s\nof:\n%s", r.Class, evidenceLines(r), q.message)
				}
			})
		}
	}
}

// quotations returns messages of people about g, if it is a notification.
func quotations(g golden) []golden {
	if !g.class().IsNotification() {
		return nil
	}
	subject, header, text := decodedMessage(g.message)
	const person = "Return-Path: <carol@example.org>\nFrom: Carol <carol@example.org>\nTo: alice@example.com\n" +
		"Date: Mon, 2 Nov 2026 11:00:00 +0000\nMIME-Version: 1.0\n"
	const plain = "Content-Type: text/plain; charset=utf-8\n\n"
	answer := person + "Subject: Re: " + subject + "\nIn-Reply-To: <notice.1@example.net>\nMessage-ID: <answer@example.org>\n" + plain +
		"Hello,\n\nthanks, but I do not know what you want of me.\nCarol\n\n> " + strings.ReplaceAll(text, "\n", "\n> ") + "\n"
	source := person + "Subject: Fwd: " + subject + "\nMessage-ID: <source@example.org>\n" + plain +
		"Dear all, this came this morning, and I never wrote to any of them. Has somebody\ngot hold of my password? Its source is below.\n\nCarol\n\n" + header + "\n" + text + "\n"
	attached := person + "Subject: what is this?\nMessage-ID: <attached@example.org>\nContent-Type: multipart/mixed; boundary=\"=_carol\"\n\n--=_carol\n" + plain +
		"Hi, can you tell me what the attached means?\n--=_carol\nContent-Type: message/rfc822\n\n" + string(g.message) + "\n--=_carol--\n"
	digest := strings.Replace(person, "carol@example.org", "talk-bounces@lists.example.org", 1) + "List-Id: <talk.lists.example.org>\nPrecedence: list\nSubject: [talk] " + subject + "\n" + plain +
		"Has anybody else on this list seen these?\n\n" + header + "\n" + text + "\n_______________\ntalk mailing list\n"
	var all []golden
	for i, message := range []string{answer, source, attached, digest} {
		all = append(all, golden{g.name + "/" + []string{"answered", "source", "attached", "digest"}[i], []string{string(Ordinary)}, []byte(message)})
	}
	return all
}

// decodedMessage returns the subject, the header and the text of a message as a
// reader sees them.
func decodedMessage(message []byte) (subject, header, text string) {
	fs, whole := messageHeader(trimBlankLines(message))
	set := parameter(fs.first("Content-Type"), "charset")
	var b strings.Builder
	for _, f := range fs {
		value := strings.ToValidUTF8(decodeValue(f.value, set), "?")
		if value = strings.Join(strings.Fields(value), " "); strings.EqualFold(f.name, "Subject") {
			subject = value
		}
		b.WriteString(f.name + ": " + value + "\n")
	}
	parts := split(fs, message[min(whole, len(message)):])
	if i := findNotice(parts); i >= 0 {
		text = string(toUTF8(parts[i].charset(), parts[i].decoded()))
		if parts[i].media == "text/html" {
			text = string(htmlText([]byte(text)))
		}
	}
	return subject, b.String(), strings.ToValidUTF8(strings.NewReplacer("\r\n", "\n", "\r", "\n", "\x00", "").Replace(text), "?")
}
