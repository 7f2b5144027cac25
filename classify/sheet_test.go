package classify

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/text/encoding/htmlindex"
)

// readSheet reads a file with many messages, in UTF-8. Each begins with
//
//	=== class [action [extent [message-id]]] | name
//
// Fields that every message has and no rule is about (To, Date, Message-ID) are
// added where the message does not have them, and Return-Path, from the sender,
// too. Text that is not ASCII is brought into the charset that Content-Type
// names, header fields are encoded.
//
// A message may end with a table: a line "---", and below it a line for each
// variant, whose columns, separated by " | ", take the places {1}, {2} ... in it;
// \n in them ends a line.
func readSheet(t testing.TB, name string) []golden {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	base := strings.TrimPrefix(filepath.ToSlash(name), "testdata/")
	var all []golden
	for block := range strings.SplitSeq("\n"+string(data), "\n=== ") {
		head, text, ok := strings.Cut(block, "\n")
		want, title, named := strings.Cut(head, " | ")
		if !ok || !named {
			if len(all) > 0 || strings.Contains(head, "|") {
				t.Fatalf("%s: %q: want a class, |, and a name", name, head)
			}
			continue // what stands above the first message
		}
		text, table, isTable := strings.Cut(text, "\n---\n")
		if !isTable {
			all = append(all, golden{base + "/" + title, strings.Fields(want), realMessage(t, text)})
			continue
		}
		for i, row := range strings.Split(strings.TrimSpace(table), "\n") {
			variant := fillIn(text, strings.Split(row, " | "))
			all = append(all, golden{fmt.Sprintf("%s/%s/%d", base, title, i+1), strings.Fields(want), realMessage(t, variant)})
		}
	}
	return all
}

// fillIn puts the columns of a row in their places.
func fillIn(text string, columns []string) string {
	for i, c := range columns {
		text = strings.ReplaceAll(text, fmt.Sprintf("{%d}", i+1), strings.ReplaceAll(strings.TrimSpace(c), `\n`, "\n"))
	}
	return text
}

var (
	charsetOf = regexp.MustCompile(`(?i)\nContent-Type:.*charset="?([^\s";]+)`)
	senderOf  = regexp.MustCompile(`(?m)^From:.*?([^\s<>"]+@[^\s<>"]+)`)
)

// realMessage makes of a message as sheets have it one as it is sent.
func realMessage(t testing.TB, text string) []byte {
	t.Helper()
	header, body, _ := strings.Cut(text, "\n\n")
	set := "utf-8"
	if m := charsetOf.FindStringSubmatch("\n" + header); m != nil {
		set = m[1]
	} else if !strings.Contains("\n"+header, "\nContent-Type:") && !isASCII([]byte(body)) {
		header += "\nContent-Type: text/plain; charset=utf-8"
	}
	for _, f := range []string{"To: alice@example.com", "Date: Mon, 2 Nov 2026 10:05:00 +0000", "Message-ID: <notice.1@example.net>"} {
		if field, _, _ := strings.Cut(f, " "); !strings.Contains("\n"+strings.ToLower(header), "\n"+strings.ToLower(field)) {
			header += "\n" + f
		}
	}
	if m := senderOf.FindStringSubmatch(header); m != nil && !strings.Contains("\n"+header, "\nReturn-Path:") {
		header = "Return-Path: <" + m[1] + ">\n" + header
	}
	lines := strings.Split(header, "\n")
	for i, l := range lines {
		if name, value, ok := strings.Cut(l, ": "); ok && !isASCII([]byte(value)) {
			lines[i] = name + ": " + encodedWord(t, set, value)
		}
	}
	return []byte(strings.Join(lines, "\n") + "\n\n" + encode(t, set, body))
}

// encodedWord encodes a header value, but for an address at its end.
func encodedWord(t testing.TB, set, value string) string {
	words, address := value, ""
	if i := strings.LastIndex(value, " <"); i >= 0 {
		words, address = value[:i], value[i:]
	}
	return "=?" + set + "?B?" + base64.StdEncoding.EncodeToString([]byte(encode(t, set, words))) + "?=" + address
}

func encode(t testing.TB, set, text string) string {
	t.Helper()
	e, err := htmlindex.Get(set)
	if err != nil {
		t.Fatalf("charset %q: %v", set, err)
	}
	s, err := e.NewEncoder().String(text)
	if err != nil {
		t.Fatalf("%s in %q: %v", text, set, err)
	}
	return s
}
