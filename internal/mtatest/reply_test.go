package mtatest

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReplies(t *testing.T) {
	for _, tc := range []struct {
		frame []byte
		want  Reply
	}{
		{Frame('c'), Reply{Action: Continue}},
		{Frame('a'), Reply{Action: Accept}},
		{Frame('r'), Reply{Action: Reject}},
		{Frame('t'), Reply{Action: Tempfail}},
		{Frame('d'), Reply{Action: Discard}},
		{Frame('s'), Reply{Action: Skip}},
		{append(Frame('p'), Frame('c')...), Reply{Action: Continue}},
		{Frame('y', "550 5.7.1 100 %% no\x00"), Reply{ReplyCode, 550, "5.7.1 100 % no"}},
		{Frame('y', "451-4.7.1 one\r\n451 4.7.1 two\x00"), Reply{ReplyCode, 451, "4.7.1 one\n4.7.1 two"}},
	} {
		f := &fake{agreed: agree(6, 0, CanSkip), answer: func(byte, string) []byte { return tc.frame }}
		if got, err := f.client(t, PostfixOffer()).Helo("a"); err != nil || got != tc.want {
			t.Errorf("%q: got %v, %v; want %v", tc.frame, got, err, tc.want)
		}
	}
}

func TestBadReplies(t *testing.T) {
	for _, tc := range []struct {
		frame []byte
		want  string
	}{
		{Frame('s'), "milter answered skip, which was not negotiated"},
		{Frame('c', "x"), `milter answered continue with data "x"`},
		{Frame('Z'), "milter answered 'Z' (0 bytes)"},
		{Frame('h', "A\x00b\x00"), "milter answered 'h' (4 bytes)"},
		{Frame('y', "550 no NUL"), `milter's reply "550 no NUL" does not end in its only NUL`},
		{Frame('y', "250 ok\x00"), `milter's reply "250 ok" is no SMTP reply`},
		{Frame('y', "550\x00"), `milter's reply "550" is no SMTP reply`},
		{Frame('y', "550-one\r\n551 two\x00"), "is no SMTP reply"},
		{[]byte{0, 0, 0, 0}, "milter sent a frame of length 0, allowed is 1 to 1048576"},
		{[]byte{0x20, 0, 0, 0}, "milter sent a frame of length 536870912"},
	} {
		f := &fake{agreed: agree(6, 0x1FF, 0), answer: func(byte, string) []byte { return tc.frame }}
		c := f.client(t, PostfixOffer())
		_, err := c.Helo("a")
		if err == nil || !strings.Contains(err.Error(), tc.want) || !strings.HasPrefix(err.Error(), "helo: ") {
			t.Errorf("%q: got %v, want %q", tc.frame, err, tc.want)
		}
		if _, again := c.Mail("a", nil); again == nil {
			t.Errorf("%q: the connection went on after %v", tc.frame, err)
		}
	}
}

func TestMods(t *testing.T) {
	frames := [][]byte{
		Frame('h', "X-A\x00one\x00"),
		Frame('i', "\x00\x00\x00\x01", "X-B\x00two\x00"),
		Frame('m', "\x00\x00\x00\x02", "X-C\x00\x00"),
		Frame('p'),
		Frame('-', "<prvs=1@example.com>\x00"),
		Frame('+', "<a@example.com>\x00"),
		Frame('2', "b@example.com\x00NOTIFY=NEVER\x00"),
		Frame('e', "<s@example.com>\x00"),
		Frame('e', "<s@example.com>\x00RET=HDRS\x00"),
		Frame('b', "body\r\n"),
		Frame('q', "held\x00"),
		Frame('a'),
	}
	want := []Mod{
		{Kind: AddHeader, Name: "X-A", Value: "one"},
		{Kind: InsertHeader, Name: "X-B", Value: "two", Index: 1},
		{Kind: ChangeHeader, Name: "X-C", Index: 2},
		{Kind: DelRcpt, Value: "prvs=1@example.com"},
		{Kind: AddRcpt, Value: "a@example.com"},
		{Kind: AddRcptPar, Value: "b@example.com", Args: "NOTIFY=NEVER"},
		{Kind: ChangeFrom, Value: "s@example.com"},
		{Kind: ChangeFrom, Value: "s@example.com", Args: "RET=HDRS"},
		{Kind: ReplaceBody, Value: "body\r\n"},
		{Kind: Quarantine, Value: "held"},
	}
	var all []byte
	for _, f := range frames {
		all = append(all, f...)
	}
	f := &fake{agreed: agree(6, 0x1FF, 0), answer: func(byte, string) []byte { return all }}
	c := f.client(t, PostfixOffer())
	r, mods, err := c.EndOfMessage()
	if err != nil || r.Action != Accept {
		t.Errorf("%v, %v", r, err)
	}
	if d := cmp.Diff(want, mods); d != "" {
		t.Error(d)
	}
}

func TestBadMods(t *testing.T) {
	for _, tc := range []struct {
		actions uint32
		frame   []byte
		want    string
	}{
		{0x1FF &^ MayChangeFrom, Frame('e', "<a>\x00"), "milter answered change-from, which was not negotiated"},
		{0x1FF &^ MayAddHeader, Frame('i', "\x00\x00\x00\x00A\x00b\x00"), "milter answered insert-header, which was not negotiated"},
		{0x1FF, Frame('i', "A\x00"), "malformed insert-header"},
		{0x1FF, Frame('h', "A\x00b"), "malformed add-header"},
		{0x1FF, Frame('h', "\x00b\x00"), "malformed add-header"},
		{0x1FF, Frame('+', "a\x00b\x00"), "malformed add-rcpt"},
		{0x1FF, Frame('e', "a\x00b\x00c\x00"), "malformed change-from"},
		{0x1FF, Frame('q', ""), "malformed quarantine"},
	} {
		f := &fake{agreed: agree(6, tc.actions, 0), answer: func(byte, string) []byte { return append(tc.frame, Frame('a')...) }}
		_, _, err := f.client(t, PostfixOffer()).EndOfMessage()
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%q: got %v, want %q", tc.frame, err, tc.want)
		}
	}
}
