package problem

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"testing"
)

func TestHint(t *testing.T) {
	plain := errors.New("plain")
	for _, tc := range []struct {
		err  error
		want string
	}{
		{nil, ""},
		{plain, ""},
		{WithHint(plain, "do it"), "do it"},
		{fmt.Errorf("around: %w", WithHint(plain, "do it")), "do it"},
		{errors.Join(plain, WithHint(plain, "first"), WithHint(plain, "second")), "first"},
	} {
		if got := Hint(tc.err); got != tc.want {
			t.Errorf("%v: hint %q, want %q", tc.err, got, tc.want)
		}
	}
	if err := WithHint(fs.ErrNotExist, "make it"); err.Error() != fs.ErrNotExist.Error() || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v: the hint hides the error", err)
	}
}

func TestEach(t *testing.T) {
	var got []string
	for _, err := range Each(errors.Join(errors.New("a"), WithHint(errors.New("b"), "hint"), errors.Join(errors.New("c"), errors.New("d")))) {
		got = append(got, err.Error())
	}
	if want := []string{"a", "b", "c", "d"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
