// again is a TLS client that comes back: for each line of its input, a server name, it makes one connection, offers the
// session that it has, and prints one line of JSON about it. All of them share one session cache.
package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"tlscribe.example/clients/wire"
)

type result struct {
	Local   string `json:"local"`
	Resumed bool   `json:"resumed"`
	Version string `json:"version"`
	Offered bool   `json:"offered"` // a session was there
	Tickets int    `json:"tickets"` // that came
	Echo    bool   `json:"echo"`
	Alert   int    `json:"alert"` // -1: none
	Error   string `json:"error"`
}

// cache has one place, whatever name it is asked for, unless byName: a client that offers a session to whom it does not belong.
type cache struct {
	byName  bool
	places  map[string]*tls.ClientSessionState
	offered bool
	tickets int
}

func (c *cache) place(key string) string {
	if c.byName {
		return key
	}
	return ""
}

func (c *cache) Get(key string) (*tls.ClientSessionState, bool) {
	state, ok := c.places[c.place(key)]
	c.offered = ok && state != nil
	return state, c.offered
}

func (c *cache) Put(key string, state *tls.ClientSessionState) {
	if state != nil {
		c.tickets++
		c.places[c.place(key)] = state
	} else {
		delete(c.places, c.place(key))
	}
}

func usage(err error) {
	fmt.Fprintln(os.Stderr, "again:", err)
	os.Exit(2)
}

func main() {
	addr := flag.String("addr", "", "HOST:PORT")
	certPEM := flag.String("cert-pem", "", "client chain")
	key := flag.String("key", "", "PKCS #8 key in PEM")
	max := flag.String("max", "1.3", "highest TLS version")
	byName := flag.Bool("by-name", true, "a session is for the name that it was made with")
	timeout := flag.Duration("timeout", 20*time.Second, "for one connection")
	flag.Parse()

	version, err := wire.Version(*max)
	if err != nil {
		usage(err)
	}
	sessions := &cache{byName: *byName, places: map[string]*tls.ClientSessionState{}}
	conf := &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12, MaxVersion: version, ClientSessionCache: sessions}
	if *certPEM != "" {
		cert, err := wire.LoadPEM(*certPEM, *key)
		if err != nil {
			usage(err)
		}
		conf.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return cert, nil }
	}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		json.NewEncoder(os.Stdout).Encode(visit(*addr, lines.Text(), conf, sessions, *timeout))
	}
}

func visit(addr, name string, conf *tls.Config, sessions *cache, timeout time.Duration) *result {
	r := &result{Alert: -1}
	sessions.offered, sessions.tickets = false, 0
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	raw, err := wire.Dial(ctx, addr, "")
	if err == nil {
		defer raw.Close()
		r.Local = raw.LocalAddr().String()
		deadline, _ := ctx.Deadline()
		raw.SetDeadline(deadline)
		mine := conf.Clone()
		mine.ServerName = name
		err = talk(tls.Client(raw, mine), r)
	}
	if err != nil {
		r.Error, r.Alert = err.Error(), wire.Alert(err)
	}
	r.Offered, r.Tickets = sessions.offered, sessions.tickets
	return r
}

func talk(conn *tls.Conn, r *result) error {
	if err := conn.Handshake(); err != nil {
		return err
	}
	state := conn.ConnectionState()
	r.Resumed, r.Version = state.DidResume, wire.VersionName(state.Version)
	out := []byte("ping\n")
	_, werr := conn.Write(out)
	got := make([]byte, len(out))
	/* What is read says more than a write that met the end: the alert of a refusal. */
	if _, err := io.ReadFull(conn, got); err != nil {
		return err
	}
	if werr != nil {
		return werr
	}
	r.Echo = string(got) == string(out)
	return conn.Close()
}
