package probe

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Bounds of what is read of one reply. RFC 5321, section 4.5.3.1.5, has lines
// of 512 octets.
const (
	maxLine  = 2048
	maxLines = 100
	maxText  = 300 // kept of the text
)

var (
	errLongLine  = errors.New("a reply line without end")
	errLongReply = errors.New("a reply without end")
)

// reply is an SMTP reply.
type reply struct {
	code int
	text string // its lines, joined with spaces, printable ASCII, shortened
}

func (r reply) String() string { return strings.TrimSpace(fmt.Sprintf("%d %s", r.code, r.text)) }

func (r reply) class() int { return r.code / 100 }

// readReply reads one reply of one or more lines (RFC 5321, section 4.2.1).
func readReply(r *bufio.Reader) (reply, error) {
	var got reply
	var text []string
	for range maxLines {
		line, err := readLine(r)
		if err != nil {
			return reply{}, err
		}
		code, more, rest, ok := parseLine(line)
		if !ok || got.code != 0 && code != got.code {
			return reply{}, fmt.Errorf("not an SMTP reply: %q", shorten(line))
		}
		got.code = code
		text = append(text, rest)
		if !more {
			got.text = printable(strings.Join(text, " "))
			return got, nil
		}
	}
	return reply{}, errLongReply
}

func readLine(r *bufio.Reader) (string, error) {
	line, err := r.ReadSlice('\n')
	switch {
	case errors.Is(err, bufio.ErrBufferFull):
		return "", errLongLine
	case errors.Is(err, io.EOF):
		return "", errors.New("the connection was closed without a reply")
	case err != nil:
		return "", err
	}
	return strings.TrimRight(string(line), "\r\n"), nil
}

// parseLine takes a line apart: code, whether more lines follow, text.
func parseLine(line string) (code int, more bool, text string, ok bool) {
	if len(line) < 3 || line[0] < '2' || line[0] > '5' {
		return 0, false, "", false
	}
	for i := range 3 {
		if line[i] < '0' || line[i] > '9' {
			return 0, false, "", false
		}
		code = code*10 + int(line[i]-'0')
	}
	if len(line) == 3 {
		return code, false, "", true
	}
	return code, line[3] == '-', line[4:], line[3] == '-' || line[3] == ' '
}

func printable(s string) string {
	s = strings.Map(func(c rune) rune {
		if c < ' ' || c > '~' {
			return '?'
		}
		return c
	}, s)
	return shorten(s)
}

func shorten(s string) string {
	if len(s) > maxText {
		return s[:maxText] + "..."
	}
	return s
}
