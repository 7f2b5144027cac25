package main

import (
	"fmt"
	"io"
	"net/http"
	"regexp"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// cmdEventually waits until an answer of the admin listener matches an
// expression: eventually PORT PATH EXPRESSION [TOKEN].
func cmdEventually(ts *testscript.TestScript, _ bool, args []string) {
	want := regexp.MustCompile("(?m)" + args[2])
	ts.Check(eventually(func() error {
		req, err := http.NewRequest(http.MethodGet, "http://127.0.0.1:"+args[0]+args[1], http.NoBody)
		if err != nil {
			return err
		}
		if len(args) > 3 {
			req.Header.Set("Authorization", "Bearer "+args[3])
		}
		r, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		defer r.Body.Close()
		body, err := io.ReadAll(r.Body)
		if err == nil && !want.Match(body) {
			err = fmt.Errorf("no %s in\n%s", want, body)
		}
		return err
	}))
}

// cmdSleep waits: sleep SECONDS.
func cmdSleep(ts *testscript.TestScript, _ bool, args []string) {
	d, err := time.ParseDuration(args[0] + "s")
	ts.Check(err)
	time.Sleep(d)
}
