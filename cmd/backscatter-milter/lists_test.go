package main

import (
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/backscatter-milter/backscatter-milter/internal/mtatest"
)

// cmdDNSList serves list.example.org at $DNS, with the given addresses on it.
func cmdDNSList(ts *testscript.TestScript, _ bool, addresses []string) {
	d, err := mtatest.ListenDNS("127.0.0.1:0", "list.example.org")
	ts.Check(err)
	ts.Defer(func() { _ = d.Close() })
	d.SetTTL(time.Hour, time.Hour)
	for _, a := range addresses {
		d.List(a)
	}
	ts.Setenv("DNS", d.Addr())
}
