package admin

import (
	"net/http"
	"net/netip"
	"time"

	"github.com/backscatter-milter/backscatter-milter/internal/control"
	"github.com/backscatter-milter/backscatter-milter/internal/journal"
)

// Source is what the pages show.
type Source struct {
	Metrics   http.Handler
	Ready     func() error // nil when the daemon serves mail
	Token     string       // that every request must bring; "" for none
	Now       func() time.Time
	Status    func() *control.Status
	Decisions *journal.Journal
	Blocks    func() (shown []Block, more int) // what is blocked, and how much besides; nil where floods are not controlled
	Hashed    func() bool                      // addresses are kept as hashes at the moment; nil: they are not
	Denied    func(client netip.Prefix)        // told of wrong tokens; a unix socket's client is the zero Prefix; may be nil
}

// livePath answers whether the daemon lives.
const livePath = "/healthz"

// Block is a client network or a recipient that is blocked.
type Block struct {
	Kind  string // "client", "recipient", "subject"
	Key   string // addresses as the log shows them
	Until time.Time
	Count uint64 // attempts during the block
}

// NewServer returns a server for the pages. Requests that are slow to arrive
// or answers that are slow to be taken are cut off.
func NewServer(s Source) *http.Server {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", s.Metrics)
	mux.HandleFunc("GET "+livePath, func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, "ok")
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if err := s.Ready(); err != nil {
			answer(w, http.StatusServiceUnavailable, err.Error())
			return
		}
		answer(w, http.StatusOK, "ready")
	})
	private := func(pattern string, h http.HandlerFunc) {
		mux.Handle(pattern, guarded(s.Token == "", h))
	}
	private("GET /{$}", newPage(s).serve)
	private("GET /api/decisions", s.decisions)
	private("GET /static/{name}", static)
	return &http.Server{
		Handler:           authorized(s, mux),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
	}
}

func answer(w http.ResponseWriter, code int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(code)
	// A client that has gone away needs no answer.
	_, _ = w.Write([]byte(text + "\n"))
}
