// Package problem has errors ready to be told to people: each of several by
// itself, and with a line on how to mend it where somebody knows. It prints
// nothing and knows no particular error.
package problem

import "errors"

// hinted is an error with a line that says how to mend it.
type hinted struct {
	error
	hint string
}

func (e hinted) Unwrap() error { return e.error }

// WithHint gives err a line that says how to mend it.
func WithHint(err error, hint string) error { return hinted{err, hint} }

// Hint is the line on how to mend err, the first that one of its causes has;
// "" where none has.
func Hint(err error) string {
	var h hinted
	errors.As(err, &h)
	return h.hint
}

// Each lists the errors that were joined into one, in their order.
func Each(err error) []error {
	many, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var all []error
	for _, e := range many.Unwrap() {
		all = append(all, Each(e)...)
	}
	return all
}
