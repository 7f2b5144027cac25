package main

import (
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"regexp"
	"strconv"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/backscatter-milter/backscatter-milter/internal/mtatest"
)

// cmdAbuse opens 600 connections to the milter on a port, sends garbage on
// them, and leaves them open until the script ends: every command malformed,
// lengths of up to 4 GB announced, negotiations begun and not ended: abuse PORT.
func cmdAbuse(ts *testscript.TestScript, _ bool, args []string) {
	random := rand.New(rand.NewPCG(3, 4))
	for i := range 600 {
		c, err := net.Dial("tcp", "127.0.0.1:"+args[0])
		ts.Check(err)
		ts.Defer(func() { _ = c.Close() })
		_, _ = c.Write(garbage(random, i)) // the daemon may have cut it off already
	}
}

func garbage(random *rand.Rand, i int) []byte {
	const commands = "OCDHMRTLNBEAUQK?"
	switch i % 4 {
	case 0: // half open
		return nil
	case 1: // a length that no memory has
		return binary.BigEndian.AppendUint32(nil, 512<<20)
	}
	out := mtatest.PostfixOffer().Frame()
	for range 1 + random.IntN(6) {
		payload := make([]byte, random.IntN(300))
		for k := range payload {
			payload[k] = byte(random.Uint32())
		}
		frame := mtatest.Frame(commands[random.IntN(len(commands))], string(payload))
		if random.IntN(3) == 0 {
			binary.BigEndian.PutUint32(frame, random.Uint32())
		}
		out = append(out, frame...)
	}
	return append(out, mtatest.Frame('B', "announced, not sent")[:6]...)
}

var residentBytes = regexp.MustCompile(`(?m)^process_resident_memory_bytes (\S+)$`)

// cmdMemory fails when the daemon holds more than so many MiB, as its own
// metrics tell: memory ADMINPORT MIB.
func cmdMemory(ts *testscript.TestScript, _ bool, args []string) {
	r, err := http.Get("http://127.0.0.1:" + args[0] + "/metrics")
	ts.Check(err)
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	ts.Check(err)
	m := residentBytes.FindSubmatch(body)
	if m == nil {
		ts.Fatalf("no process_resident_memory_bytes in %s", body)
	}
	resident, err := strconv.ParseFloat(string(m[1]), 64)
	ts.Check(err)
	limit, err := strconv.Atoi(args[1])
	ts.Check(err)
	fmt.Fprintf(ts.Stdout(), "%.0f MiB resident\n", resident/(1<<20))
	if resident > float64(limit)*(1<<20) {
		ts.Fatalf("%.0f MiB resident, want at most %d", resident/(1<<20), limit)
	}
}
