// storm dials the proxy many times, every connection of some kind - good, bad, aborted, not TLS, slow, over a limit -
// and says afterwards how many connections there were: the proxy owes exactly one event for each.
//
// The kinds follow from -seed alone. A line "ID KIND IP:PORT ECHOED ALERT" goes to -facts for every connection, written
// only once it is over (ECHOED: an application byte came back).
package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	mrand "math/rand"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"tlscribe.example/clients/wire"
)

type outcome struct {
	local  string
	opened bool
	echoed bool
	alert  int
}

type storm struct {
	addr    string
	sni     string
	patient time.Duration
	clients map[string]*tls.Certificate
	facts   *os.File
	lock    sync.Mutex // of facts and summary
	summary summary
}

type summary struct {
	Tried     int            `json:"tried"`
	Connected int            `json:"connected"`
	Echoed    int            `json:"echoed"`
	Kinds     map[string]int `json:"kinds"` // connected ones
}

type kind struct {
	name   string
	weight int
	run    func(s *storm, r *mrand.Rand, c *wire.Conn) (bool, int)
}

// session does one TLS handshake and an echo; tells whether a byte came back, and the alert.
func (s *storm) session(c *wire.Conn, client string, version uint16, sni string) (bool, int) {
	conf := &tls.Config{InsecureSkipVerify: true, ServerName: sni, MinVersion: tls.VersionTLS10, MaxVersion: version}
	conf.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		if cert := s.clients[client]; cert != nil {
			return cert, nil
		}
		return &tls.Certificate{}, nil
	}
	t := tls.Client(c, conf)
	if err := t.Handshake(); err != nil {
		return false, wire.Alert(err)
	}
	if _, err := t.Write([]byte("ping\n")); err != nil {
		return false, wire.Alert(err)
	}
	b := make([]byte, 5)
	n, err := io.ReadFull(t, b)
	if err == nil {
		t.Close()
	}
	return n > 0, wire.Alert(err)
}

func tlsKind(client string, version uint16) func(*storm, *mrand.Rand, *wire.Conn) (bool, int) {
	return func(s *storm, _ *mrand.Rand, c *wire.Conn) (bool, int) {
		return s.session(c, client, version, s.sni)
	}
}

// send writes bytes and reads until the other side ends.
func send(c *wire.Conn, b []byte) (bool, int) {
	if _, err := c.Write(b); err == nil {
		io.Copy(io.Discard, c)
	}
	return false, -1
}

func oversized(_ *storm, _ *mrand.Rand, c *wire.Conn) (bool, int) {
	/* Records of 16 KiB, a ClientHello that says it is 14 MiB long, and 80 KiB of it. */
	record := make([]byte, 5+16384)
	copy(record, []byte{22, 3, 1, 0x40, 0})
	copy(record[5:], []byte{1, 0xdf, 0xff, 0xff, 3, 3})
	for i := 0; i < 5; i++ {
		if _, err := c.Write(record); err != nil {
			return false, -1
		}
		copy(record[5:], make([]byte, 6))
	}
	io.Copy(io.Discard, c)
	return false, -1
}

var kinds = []kind{
	{"good13", 3000, tlsKind("good", tls.VersionTLS13)},
	{"good12", 2000, tlsKind("good", tls.VersionTLS12)},
	{"expired13", 1000, tlsKind("expired", tls.VersionTLS13)},
	{"expired12", 1000, tlsKind("expired", tls.VersionTLS12)},
	{"self_signed", 1000, tlsKind("self-signed", tls.VersionTLS13)},
	{"unknown_issuer", 1000, tlsKind("unknown-issuer", tls.VersionTLS12)},
	{"malformed_certificate", 500, tlsKind("malformed-certificate", tls.VersionTLS13)},
	{"possession_failed", 500, tlsKind("possession-failed", tls.VersionTLS12)},
	{"no_certificate", 1000, tlsKind("", tls.VersionTLS13)},
	{"many_certificates", 300, tlsKind("many", tls.VersionTLS13)},
	{"old_version", 500, tlsKind("good", tls.VersionTLS11)},
	{"unknown_name", 500, func(s *storm, _ *mrand.Rand, c *wire.Conn) (bool, int) {
		return s.session(c, "good", tls.VersionTLS13, "nobody.example")
	}},
	{"plain_http", 1000, func(_ *storm, _ *mrand.Rand, c *wire.Conn) (bool, int) {
		return send(c, []byte("GET / HTTP/1.1\r\nHost: example\r\n\r\n"))
	}},
	{"random_bytes", 1000, func(_ *storm, r *mrand.Rand, c *wire.Conn) (bool, int) {
		b := make([]byte, 1+r.Intn(300))
		r.Read(b)
		b[0] |= 0x80 /* no TLS record starts so */
		return send(c, b)
	}},
	{"random_record", 700, func(_ *storm, r *mrand.Rand, c *wire.Conn) (bool, int) {
		b := make([]byte, 5+64)
		r.Read(b)
		copy(b, []byte{22, 3, 1, 0, 64})
		return send(c, b)
	}},
	{"closed_at_once", 1000, func(_ *storm, _ *mrand.Rand, c *wire.Conn) (bool, int) {
		return false, -1
	}},
	{"reset_at_once", 500, func(_ *storm, _ *mrand.Rand, c *wire.Conn) (bool, int) {
		c.Reset = true
		c.Abort()
		return false, -1
	}},
	{"abort_hello", 800, func(s *storm, r *mrand.Rand, c *wire.Conn) (bool, int) {
		c.AbortWritten, c.Reset = int64(1+r.Intn(150)), r.Intn(2) == 0
		return s.session(c, "good", tls.VersionTLS13, s.sni)
	}},
	{"abort_server_flight", 800, func(s *storm, r *mrand.Rand, c *wire.Conn) (bool, int) {
		c.AbortRead, c.Reset = int64(r.Intn(600)), r.Intn(2) == 0
		return s.session(c, "good", tls.VersionTLS13-uint16(r.Intn(2)), s.sni)
	}},
	{"abort_second_flight", 800, func(s *storm, r *mrand.Rand, c *wire.Conn) (bool, int) {
		c.AbortFlight, c.Reset = 2, r.Intn(2) == 0
		return s.session(c, "good", tls.VersionTLS13-uint16(r.Intn(2)), s.sni)
	}},
	{"abort_certificate", 800, func(s *storm, r *mrand.Rand, c *wire.Conn) (bool, int) {
		c.AbortWritten, c.Reset = int64(400+r.Intn(800)), r.Intn(2) == 0
		return s.session(c, "good", tls.VersionTLS13-uint16(r.Intn(2)), s.sni)
	}},
	{"abort_after", 800, func(s *storm, r *mrand.Rand, c *wire.Conn) (bool, int) {
		c.AbortFlight, c.Reset = 3, r.Intn(2) == 0
		return s.session(c, "good", tls.VersionTLS13-uint16(r.Intn(2)), s.sni)
	}},
	{"split", 400, func(s *storm, r *mrand.Rand, c *wire.Conn) (bool, int) {
		c.Split = 1 + r.Intn(16)
		return s.session(c, "good", tls.VersionTLS13, s.sni)
	}},
	{"oversized_hello", 300, oversized},
	{"slow", 40, func(s *storm, r *mrand.Rand, c *wire.Conn) (bool, int) {
		c.Split, c.Pause = 1, 100*time.Millisecond
		return s.session(c, "good", tls.VersionTLS13, s.sni)
	}},
	{"silent", 40, func(_ *storm, _ *mrand.Rand, c *wire.Conn) (bool, int) {
		io.Copy(io.Discard, c)
		return false, -1
	}},
}

func (s *storm) one(id int, k kind, seed int64) {
	r := mrand.New(mrand.NewSource(seed))
	/* Several addresses, so that an address and a port together stay unique over a run. */
	source := fmt.Sprintf("127.0.0.%d", 2+id%8)
	ctx, cancel := context.WithTimeout(context.Background(), s.patient)
	defer cancel()
	raw, err := wire.Dial(ctx, s.addr, source)
	out := outcome{alert: -1}
	if err == nil {
		out.opened = true
		out.local = raw.LocalAddr().String()
		raw.SetDeadline(time.Now().Add(s.patient))
		c := wire.NewConn(raw)
		out.echoed, out.alert = k.run(s, r, c)
		raw.Close()
	}
	s.lock.Lock()
	defer s.lock.Unlock()
	s.summary.Tried++
	if !out.opened {
		return
	}
	s.summary.Connected++
	s.summary.Kinds[k.name]++
	if out.echoed {
		s.summary.Echoed++
	}
	if s.facts != nil {
		fmt.Fprintf(s.facts, "%d %s %s %t %d\n", id, k.name, out.local, out.echoed, out.alert)
	}
}

// deck deals every kind by its weight, shuffled by the seed.
func deck(n int, only string, seed int64) []int {
	total := 0
	for _, k := range kinds {
		total += k.weight
	}
	cards := make([]int, 0, n)
	for i, k := range kinds {
		if only != "" {
			if k.name == only {
				for len(cards) < n {
					cards = append(cards, i)
				}
			}
			continue
		}
		for c := 0; c < k.weight*n/total; c++ {
			cards = append(cards, i)
		}
	}
	for only == "" && len(cards) < n {
		cards = append(cards, len(cards)%2)
	}
	mrand.New(mrand.NewSource(seed)).Shuffle(len(cards), func(i, j int) { cards[i], cards[j] = cards[j], cards[i] })
	return cards
}

func load(folder string) (map[string]*tls.Certificate, error) {
	clients := map[string]*tls.Certificate{}
	for _, label := range []string{"good", "expired", "self-signed", "unknown-issuer", "malformed-certificate",
		"possession-failed", "many"} {
		var files []string
		for depth := 0; ; depth++ {
			file := filepath.Join(folder, fmt.Sprintf("%s.%d.der", label, depth))
			if _, err := os.Stat(file); err != nil {
				break
			}
			files = append(files, file)
		}
		cert, err := wire.LoadRaw(files, filepath.Join(folder, label+".key"))
		if err != nil {
			return nil, err
		}
		if len(cert.Certificate) == 0 {
			return nil, fmt.Errorf("no client %s in %s", label, folder)
		}
		clients[label] = cert
	}
	return clients, nil
}

// echo is the back end of a storm: it gives every byte back.
func echo(address string) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				io.Copy(c, c)
				c.Close()
			}()
		}
	}()
	return nil
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "storm:", err)
	os.Exit(2)
}

func main() {
	addr := flag.String("addr", "", "HOST:PORT of the proxy")
	sni := flag.String("sni", "storm.example", "server name of good connections")
	n := flag.Int("n", 1000, "connections; 0: until SIGTERM")
	width := flag.Int("c", 64, "at a time")
	seed := flag.Int64("seed", 1, "of everything that is left to chance")
	folder := flag.String("pki", "", "where the clients are")
	only := flag.String("only", "", "one kind alone")
	facts := flag.String("facts", "", "file, a line a connection")
	back := flag.String("echo", "", "be a back end on HOST:PORT, too")
	stay := flag.Bool("stay", false, "print the result, then stay as a back end until SIGTERM")
	patient := flag.Duration("patient", 30*time.Second, "for one connection")
	flag.Parse()

	if *back != "" {
		if err := echo(*back); err != nil {
			fail(err)
		}
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	if *addr == "" {
		<-stop
		return
	}
	s := &storm{addr: *addr, sni: *sni, patient: *patient}
	s.summary.Kinds = map[string]int{}
	var err error
	if s.clients, err = load(*folder); err != nil {
		fail(err)
	}
	if *facts != "" {
		f, err := os.Create(*facts)
		if err != nil {
			fail(err)
		}
		s.facts = f
	}

	round := *n
	if round == 0 {
		round = 1 << 20
	}
	cards := deck(round, *only, *seed)
	var next, ended int64
	go func() {
		<-stop
		atomic.StoreInt64(&ended, 1)
	}()
	var all sync.WaitGroup
	for w := 0; w < *width; w++ {
		all.Add(1)
		go func() {
			defer all.Done()
			for atomic.LoadInt64(&ended) == 0 {
				id := int(atomic.AddInt64(&next, 1)) - 1
				if id >= len(cards) {
					return
				}
				s.one(id, kinds[cards[id]], *seed<<32+int64(id))
			}
		}()
	}
	all.Wait()
	json.NewEncoder(os.Stdout).Encode(s.summary)
	if *stay {
		<-stop
	}
}
