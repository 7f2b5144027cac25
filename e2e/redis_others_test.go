//go:build linux

package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/backscatter-milter/backscatter-milter/e2e/internal/redis"
)

// othersCase is a case with servers of its own.
type othersCase struct {
	name string
	run  func(*testing.T)
}

func (f *fleet) others() []othersCase {
	return []othersCase{
		{"cluster", f.cluster},
		{"cluster-failover", f.failover},
		{"tls", f.tls},
		{"sendmail", f.sendmail},
	}
}

// startCluster starts one on ports that follow a first one.
func (f *fleet) startCluster(t *testing.T, first uint16) ([]*redis.Server, string) {
	servers, url, err := redis.StartCluster(f.store, netip.AddrPortFrom(storeAt.Addr(), first))
	for _, s := range servers {
		t.Cleanup(s.Kill)
	}
	if err != nil {
		t.Fatal(err)
	}
	return servers, url
}

func (f *fleet) cluster(t *testing.T) {
	_, url := f.startCluster(t, 7001)
	f.run(t, hostsCase{tables: sharedFlood, run: func(h *hosts) {
		provenOnTheOther(h)
		oneFlood(h)
	}}, url, nil)
}

// The node that has the data dies, and its replica takes its place.
func (f *fleet) failover(t *testing.T) {
	servers, url := f.startCluster(t, 7011)
	f.run(t, hostsCase{run: func(h *hosts) {
		h.together()
		before := h.a.sends("before")
		replica, master, err := redis.AddReplica(f.store, servers, netip.AddrPortFrom(storeAt.Addr(), 7014), "{backscatter-milter}:site")
		if replica != nil {
			t.Cleanup(replica.Kill)
		}
		if err != nil {
			t.Fatal(err)
		}
		master.Kill()
		h.wantStatus("away")
		alone := h.a.sends("alone")
		h.wantStatus("entries told")
		h.b.proven(before)
		h.b.proven(alone)
		h.a.proven(h.b.sends("after"))
	}}, url, nil)
}

// Nothing but TLS, with a certificate that the machine trusts.
func (f *fleet) tls(t *testing.T) {
	certificate, key, err := certify(storeAt.Addr())
	if err != nil {
		t.Fatal(err)
	}
	options, err := redis.TLSOptions(f.store, storeAt, certificate, key)
	if err != nil {
		t.Fatal(err)
	}
	server, err := redis.Start(f.store, storeAt, options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Kill)
	url := "rediss://" + storeAt.String() + "/0"
	t.Run("trusted", func(t *testing.T) {
		trust := func(dir string) error { return trustIn(dir, certificate) }
		f.run(t, hostsCase{prepare: trust, run: provenOnTheOther}, url, server)
	})
	t.Run("not-trusted", func(t *testing.T) {
		f.run(t, hostsCase{run: func(h *hosts) { h.alone("certificate") }}, url, server)
	})
	t.Run("not-spoken", func(t *testing.T) {
		f.run(t, hostsCase{run: func(h *hosts) { h.alone("it closed the connection") }}, server.URL(), server)
	})
}

// certify makes a certificate for an address.
func certify(at netip.Addr) (certificate, key string, err error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", "", err
	}
	what := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{at.AsSlice()}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, what, what, private.Public(), private)
	secret, keyErr := x509.MarshalPKCS8PrivateKey(private)
	text := func(kind string, octets []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: octets}))
	}
	return text("CERTIFICATE", der), text("PRIVATE KEY", secret), errors.Join(err, keyErr)
}

// trustIn has a certificate among those that a daemon's machine trusts: what is
// in its folder etc-* is laid over /etc.
func trustIn(dir, certificate string) error {
	folders, err := filepath.Glob(filepath.Join(dir, "etc-*"))
	for _, etc := range folders {
		certs := filepath.Join(etc, "ssl", "certs")
		err = errors.Join(err, os.MkdirAll(certs, 0o755), os.WriteFile(filepath.Join(certs, "ca-certificates.crt"), []byte(certificate), 0o644))
	}
	return err
}

// Sendmail on one of the hosts.
func (f *fleet) sendmail(t *testing.T) {
	server, err := redis.Start(f.store, storeAt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Kill)
	mixed := *f
	mixed.sites[1] = openSite(t, "sendmail-b")
	mixed.run(t, hostsCase{tables: sharedFlood, run: func(h *hosts) {
		provenOnTheOther(h)
		oneFlood(h)
	}}, server.URL(), server)
}

// emptied: the store loses everything while the hosts are connected to it. They
// notice, and tell it anew.
func emptied(h *hosts) {
	h.together()
	sent := h.a.sends("before")
	time.Sleep(time.Second)
	if _, err := h.server.Ask("flushall"); err != nil {
		h.Fatal(err)
	}
	time.Sleep(2 * time.Second)
	if keys, err := h.server.Ask("exists", "{backscatter-milter}:site", "{backscatter-milter}:hosts", "{backscatter-milter}:live"); err != nil || keys != "3" {
		h.Errorf("%s of 3 keys are there again, %v", keys, err)
	}
	h.together()
	h.b.proven(sent)
	h.b.proven(h.a.sends("after"))
	h.a.proven(h.b.sends("after"))
}

// becomesReplica: the store becomes a replica, which takes nothing.
func becomesReplica(h *hosts) {
	h.together()
	if _, err := h.server.Ask("replicaof", "192.0.2.79", "1"); err != nil {
		h.Fatal(err)
	}
	h.alone("it is a replica")
	if _, err := h.server.Ask("replicaof", "no", "one"); err != nil {
		h.Fatal(err)
	}
	h.together()
	h.b.proven(h.a.sends("after"))
}
