package classify

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// What a notification answers is read with and without angle brackets; of long
// References the end counts.
func TestAnswered(t *testing.T) {
	var many []string
	for i := range 300 {
		many = append(many, fmt.Sprintf("<%d@example.com>", i))
	}
	for _, tc := range []struct {
		inReplyTo, references string
		answered, referred    []string
	}{
		{"<1@example.com>", "<0@example.com>\r\n <1@example.com>", []string{"<1@example.com>"}, []string{"<0@example.com>", "<1@example.com>"}},
		{" 1@example.com ", "", []string{"<1@example.com>"}, nil},
		{"Your message of Monday <1@example.com>", "", []string{"<1@example.com>"}, nil},
		{"Your message of Monday", "", nil, nil},
		{"word", "", nil, nil},
		{"", strings.Join(many, "\r\n\t"), nil, many[200:]},
	} {
		s := New(Options{})
		s.Header("From", "MAILER-DAEMON@mx.example.net")
		s.Header("Subject", "Undelivered Mail Returned to Sender")
		s.Header("In-Reply-To", tc.inReplyTo)
		s.Header("References", tc.references)
		_, _ = s.Write([]byte("It could not be delivered.\r\n"))
		r := s.Close()
		if !slices.Equal(r.InReplyTo, tc.answered) || !slices.Equal(r.References, tc.referred) {
			t.Errorf("%q, %.40q: %v, %d references", tc.inReplyTo, tc.references, r.InReplyTo, len(r.References))
		}
	}
}
