// Package admin serves what is seen of the daemon from outside over HTTP:
// metrics and health. It is read-only: nothing it serves changes the daemon.
package admin

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"time"
)

// Source is what the pages show.
type Source struct {
	Metrics http.Handler
	Ready   func() error // nil when the daemon serves mail
	Token   string       // bearer token that every request must bring; "" for none
}

// NewServer returns a server for the pages. Requests that are slow to arrive
// or answers that are slow to be taken are cut off.
func NewServer(s Source) *http.Server {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", s.Metrics)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, "ok")
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if err := s.Ready(); err != nil {
			answer(w, http.StatusServiceUnavailable, err.Error())
			return
		}
		answer(w, http.StatusOK, "ready")
	})
	return &http.Server{
		Handler:           authorized(s.Token, mux),
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

// authorized asks for "Authorization: Bearer TOKEN" (RFC 6750, section 2.1),
// compared in constant time.
func authorized(token string, next http.Handler) http.Handler {
	if token == "" {
		return next
	}
	want := sha256.Sum256([]byte("Bearer " + token))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got := sha256.Sum256([]byte(r.Header.Get("Authorization")))
		if subtle.ConstantTimeCompare(want[:], got[:]) != 1 {
			w.Header().Set("WWW-Authenticate", "Bearer")
			answer(w, http.StatusUnauthorized, "a token is needed")
			return
		}
		next.ServeHTTP(w, r)
	})
}
