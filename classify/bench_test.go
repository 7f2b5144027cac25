package classify_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/backscatter-milter/backscatter-milter/classify"
)

// ordinaryHeader is that of a letter after a few hops: 25 fields.
var ordinaryHeader = func() [][2]string {
	fields := [][2]string{
		{"Return-Path", " <bob@example.net>"}, {"From", " Bob =?utf-8?q?M=C3=BCller?= <bob@example.net>"}, {"To", " Alice <alice@example.com>"},
		{"Cc", " carol@example.org"}, {"Subject", " Re: Quarterly figures"}, {"Date", " Mon, 2 Nov 2026 10:00:00 +0000"},
		{"Message-ID", " <h1@example.net>"}, {"In-Reply-To", " <fig.1@example.com>"}, {"References", " <fig.0@example.com>\n\t<fig.1@example.com>"},
		{"MIME-Version", " 1.0"}, {"Content-Type", " text/plain; charset=utf-8"}, {"Content-Transfer-Encoding", " 8bit"},
		{"DKIM-Signature", " v=1; a=rsa-sha256; d=example.net; s=one; h=from:to:subject; bh=AAAA; b=BBBB"},
		{"User-Agent", " Mailer/1.0"}, {"X-Spam-Status", " No, score=-1.2"}, {"Authentication-Results", " mx.example.com; dkim=pass"},
		{"Content-Language", " en"}, {"X-Originating-IP", " 192.0.2.1"}, {"Thread-Topic", " Quarterly figures"},
	}
	for i := len(fields); i < 25; i++ {
		fields = append(fields, [2]string{"Received", " from mx.example.net (mx.example.net [192.0.2.1])\n\tby mx.example.com with ESMTPS id 4711; Mon, 2 Nov 2026 10:00:01 +0000"})
	}
	return fields
}()

func dismissOrdinary(tb testing.TB) {
	s := classify.New(classify.Options{})
	for _, f := range ordinaryHeader {
		s.Header(f[0], f[1])
	}
	if s.EndOfHeaders() != classify.CannotBe {
		tb.Fatal("a letter is taken for a notification")
	}
	if r := s.Close(); r.Class != classify.Ordinary {
		tb.Fatalf("a letter is %s", r.Class)
	}
}

func BenchmarkOrdinaryHeader(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		dismissOrdinary(b)
	}
}

func TestOrdinaryHeaderAllocates(t *testing.T) {
	if n := testing.AllocsPerRun(100, func() { dismissOrdinary(t) }); n > 10 {
		t.Errorf("%v allocations, want 10 at most", n)
	}
}

// BenchmarkBounces classifies the golden notifications, one an operation.
func BenchmarkBounces(b *testing.B) {
	var messages [][]byte
	for _, folder := range []string{"dsn", "bounce"} {
		names, err := filepath.Glob("testdata/golden/" + folder + "/*.eml")
		if err != nil {
			b.Fatal(err)
		}
		for _, name := range names {
			data, err := os.ReadFile(name)
			if err != nil {
				b.Fatal(err)
			}
			messages = append(messages, data[bytes.IndexByte(data, '\n')+1:])
		}
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		mustClassify(b, messages[i%len(messages)])
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "bounces/s")
}

func mustClassify(tb testing.TB, message []byte) classify.Result {
	tb.Helper()
	r, err := classify.Classify(bytes.NewReader(message), classify.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

// worstShapes are messages of about a megabyte made to cost time. Their header
// makes the body worth a look, and all of it is looked at.
func worstShapes() map[string]string {
	const head = "Return-Path: <>\nFrom: MAILER-DAEMON@example.net\nSubject: x\n"
	const size = 1 << 20
	fill := func(s string) string { return strings.Repeat(s, size/len(s)+1)[:size] }
	var nested strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&nested, "Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n", i, i)
	}
	bomb := "Content-Type: multipart/report; boundary=b\n\n" + fill("--b\nContent-Type: message/rfc822\n\nA: b\n")
	return map[string]string{
		"nested parts":       head + nested.String() + fill("x\n"),
		"many headers":       head + strings.Repeat("X-Field: value of a header\n", 10000) + "\n" + fill("x\n"),
		"long line":          head + "\n" + fill("your message could not be delivered "),
		"one long field":     head + "To: " + fill("a@example.com, ") + "\n\nx\n",
		"carriage returns":   head + "\n" + fill("a\r"),
		"blank lines":        head + "\n" + fill("\n"),
		"many parts":         head + bomb,
		"boundary lookalike": head + "Content-Type: multipart/mixed; boundary=b\n\n" + fill("--bb\n--\n"),
		"header lookalike":   head + "\n" + fill("Received: x\n\n"),
		"quoted lookalike":   head + "\n" + fill("> Received: x\n>\n"),
		"report lookalike":   head + "Content-Type: message/delivery-status\n\n" + fill("Final-Recipient: rfc822; a@example.com\n\n"),
		"encoded words":      head + "X-Mailer: " + fill("=?utf-8?q?a") + "\n\nx\n",
		"tags":               head + "Content-Type: text/html\n\n" + fill("<a <b <!-- "),
		"entities":           head + "Content-Type: text/html\n\n" + fill("&amp;&#1;"),
		"base64":             head + "Content-Type: text/plain\nContent-Transfer-Encoding: base64\n\n" + fill("eW91ciBtZXNzYWdl\n"),
		"quoted-printable":   head + "Content-Type: text/plain\nContent-Transfer-Encoding: quoted-printable\n\n" + fill("=\n=41=  "),
		"one word":           head + "\n" + fill("mail "),
		"separators":         head + "\n" + fill("----------\nFrom: a\n"),
		"nothing":            head + "\n" + fill("\x00"),
		"colons":             head + fill(":\n"),
		"utf-7":              head + "Content-Type: text/plain; charset=utf-7\n\n" + fill("+AGE-+"),
		"links":              head + "Content-Type: text/html\n\n" + fill("<a href=http://a/b> "),
		"two-part phrases":   head + "\n" + fill("mail nachricht mensaje wiadomosc e-mail "),
		"addresses":          head + "\n" + fill("<a@example.com>:\n"),
	}
}

func BenchmarkWorstShapes(b *testing.B) {
	for name, message := range worstShapes() {
		b.Run(strings.ReplaceAll(name, " ", "-"), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(message)))
			for b.Loop() {
				if _, err := classify.Classify(strings.NewReader(message), classify.Options{MaxBody: 2 << 20}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// TestWorstShapes gives each of them far more time than it should need: it is
// for loops that are not linear, not for slow machines.
func TestWorstShapes(t *testing.T) {
	for name, message := range worstShapes() {
		begun := time.Now()
		mustClassify(t, []byte(message))
		if took := time.Since(begun); took > 2*time.Second {
			t.Errorf("%s: took %v", name, took)
		}
	}
}

// TestMemory bounds what a message can make a Scanner allocate, all told: what is
// resident at one time is less.
func TestMemory(t *testing.T) {
	const limit = 8 << 20
	for name, message := range worstShapes() {
		head, body, _ := strings.Cut(message, "\n\n")
		var fields [][2]string
		for line := range strings.SplitSeq(head, "\n") {
			name, value, _ := strings.Cut(line, ":")
			fields = append(fields, [2]string{name, value})
		}
		data := []byte(body)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		s := classify.New(classify.Options{})
		for _, f := range fields {
			s.Header(f[0], f[1])
		}
		for chunk := range slices.Chunk(data, 64<<10) {
			if _, err := s.Write(chunk); err != nil {
				t.Fatal(err)
			}
		}
		s.Close()
		runtime.ReadMemStats(&after)
		if used := after.TotalAlloc - before.TotalAlloc; used > limit {
			t.Errorf("%s: %d bytes, want %d at most", name, used, limit)
		}
	}
}
