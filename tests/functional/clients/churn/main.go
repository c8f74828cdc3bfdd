// churn sends many requests over many short and long kept-alive connections with client certificates, pipelined now and then, in all
// sizes and framings, and is the back end, too: every request carries a token, and exactly the answer to it has to come back to
// exactly the client that sent it.
//
// What is left to chance follows from -seed. The result is one line of JSON.
package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	mrand "math/rand"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"tlscribe.example/clients/wire"
)

// stream gives the bytes that belong to a token.
func stream(token string, size int) []byte {
	block := sha256.Sum256([]byte(token))
	return bytes.Repeat(block[:], size/len(block)+1)[:size]
}

type summary struct {
	Requests    int64    `json:"requests"`    // sent
	Answered    int64    `json:"answered"`    // by the right answer
	Connections int64    `json:"connections"` // of clients
	Abandoned   int64    `json:"abandoned"`   // requests whose clients went away: not among the ones above
	Served      int      `json:"served"`      // tokens of requests that the back end saw
	Twice       int      `json:"twice"`       // of these, seen more than once
	Backend     int64    `json:"backend"`     // connections to the back end
	Faults      []string `json:"faults"`      // the first ones
}

type churn struct {
	addr, sni string
	patient   time.Duration
	clients   []*tls.Certificate
	names     []string // their common names
	left      int64    // requests to send
	lock      sync.Mutex
	summary   summary
	seen      map[string]int
}

func (c *churn) fault(format string, more ...any) {
	c.lock.Lock()
	defer c.lock.Unlock()
	if len(c.summary.Faults) < 20 {
		c.summary.Faults = append(c.summary.Faults, fmt.Sprintf(format, more...))
	}
}

// serve is the back end: it answers with what the token says, and with who it was told that the client is.
func (c *churn) serve(w http.ResponseWriter, r *http.Request) {
	token := r.Header.Get("X-Token")
	c.lock.Lock()
	c.seen[token]++
	c.lock.Unlock()
	digest := sha256.New()
	if _, err := io.Copy(digest, r.Body); err != nil {
		return // its client went away
	}
	size, _ := strconv.Atoi(r.URL.Query().Get("size"))
	h := w.Header()
	h.Set("X-Token", token)
	h.Set("X-Body", hex.EncodeToString(digest.Sum(nil)))
	h.Set("X-Name", r.Header.Get("X-SSL-Client-CN"))
	h.Set("X-Target", r.RequestURI)
	if strings.Contains(r.URL.Path, "close") {
		h.Set("Connection", "close")
	}
	if !strings.Contains(r.URL.Path, "chunked") {
		h.Set("Content-Length", strconv.Itoa(size))
	}
	body := stream(token, size)
	if strings.Contains(r.URL.Path, "chunked") && size > 1 {
		w.Write(body[:size/2])
		w.(http.Flusher).Flush()
		body = body[size/2:]
	}
	w.Write(body)
}

func (c *churn) listen(address string) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: http.HandlerFunc(c.serve), ConnState: func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			atomic.AddInt64(&c.summary.Backend, 1)
		}
	}}
	go server.Serve(l)
	return nil
}

// One request as it is sent, and what its answer has to be.
type exchange struct {
	token, target, method, name string
	size                        int
	body                        []byte
	raw                         []byte
}

func size(r *mrand.Rand) int {
	switch r.Intn(20) {
	case 0:
		return 0
	case 1:
		return r.Intn(200000)
	case 2:
		return 16384 - 2 + r.Intn(4)
	default:
		return r.Intn(2000)
	}
}

func (c *churn) request(r *mrand.Rand, client int, token string, last bool) exchange {
	x := exchange{token: token, name: c.names[client], size: size(r)}
	x.method = []string{"GET", "GET", "POST", "POST", "PUT", "DELETE", "HEAD"}[r.Intn(7)]
	x.target = fmt.Sprintf("/%s%s/%s?size=%d", []string{"length", "chunked"}[r.Intn(2)],
		[]string{"", "", "", "", "", "", "", "", "", "-close"}[r.Intn(10)], token, x.size)
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\nX-Token: %s\r\n", x.method, x.target, c.sni, token)
	if last {
		b.WriteString("Connection: close\r\n")
	}
	if x.method == "POST" || x.method == "PUT" {
		x.body = stream("up"+token, size(r))
		if r.Intn(2) == 0 {
			b.WriteString("Transfer-Encoding: chunked\r\n\r\n")
			for rest := x.body; len(rest) > 0; {
				n := 1 + r.Intn(len(rest))
				fmt.Fprintf(&b, "%x\r\n%s\r\n", n, rest[:n])
				rest = rest[n:]
			}
			b.WriteString("0\r\n\r\n")
		} else {
			fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n%s", len(x.body), x.body)
		}
	} else {
		b.WriteString("\r\n")
	}
	x.raw = b.Bytes()
	return x
}

// answer reads one response and holds it against its request.
func (x *exchange) answer(in *bufio.Reader) error {
	got, err := http.ReadResponse(in, &http.Request{Method: x.method})
	if err != nil {
		return err
	}
	body, err := io.ReadAll(got.Body)
	if err != nil {
		return err
	}
	digest := sha256.Sum256(x.body)
	switch {
	case got.StatusCode != 200:
		return fmt.Errorf("status %d: %s", got.StatusCode, body)
	case got.Header.Get("X-Token") != x.token:
		return fmt.Errorf("the answer to %q", got.Header.Get("X-Token"))
	case got.Header.Get("X-Target") != x.target:
		return fmt.Errorf("the answer to %q", got.Header.Get("X-Target"))
	case got.Header.Get("X-Name") != x.name:
		return fmt.Errorf("the back end took %q for %q", x.name, got.Header.Get("X-Name"))
	case got.Header.Get("X-Body") != hex.EncodeToString(digest[:]):
		return errors.New("another body arrived than was sent")
	case x.method != "HEAD" && !bytes.Equal(body, stream(x.token, x.size)):
		return fmt.Errorf("another body came back than was sent: %d bytes of %d", len(body), x.size)
	}
	return nil
}

// pipeline sends some requests at once and reads their answers.
func (c *churn) pipeline(t *tls.Conn, in *bufio.Reader, batch []exchange) bool {
	atomic.AddInt64(&c.summary.Requests, int64(len(batch)))
	var raw []byte
	for i := range batch {
		raw = append(raw, batch[i].raw...)
	}
	sent := make(chan error, 1)
	go func() {
		_, err := t.Write(raw)
		sent <- err
	}()
	good := true
	for i := range batch {
		if err := batch[i].answer(in); err != nil {
			c.fault("%s %s of %s, %d in its batch: %v", batch[i].method, batch[i].target, batch[i].name, i, err)
			good = false
			break
		}
		atomic.AddInt64(&c.summary.Answered, 1)
	}
	if !good {
		t.NetConn().Close()
	}
	if err := <-sent; err != nil && good {
		c.fault("sending: %v", err)
		return false
	}
	return good
}

// take gives how many of `want` requests are still to be sent.
func (c *churn) take(want int) int {
	for {
		left := atomic.LoadInt64(&c.left)
		if int64(want) > left {
			want = int(left)
		}
		if atomic.CompareAndSwapInt64(&c.left, left, left-int64(want)) {
			return want
		}
	}
}

// session is one connection with some requests. False: all were sent before.
func (c *churn) session(id int, r *mrand.Rand) bool {
	client := r.Intn(len(c.clients))
	want := 1 + r.Intn(5)
	if r.Intn(4) == 0 {
		want = 1 + r.Intn(100)
	}
	if want = c.take(want); want == 0 {
		return false
	}
	ctx, cancel := context.WithTimeout(context.Background(), c.patient)
	defer cancel()
	raw, err := wire.Dial(ctx, c.addr, fmt.Sprintf("127.0.0.%d", 2+id%64))
	if err != nil {
		c.fault("connecting: %v", err)
		return true
	}
	defer raw.Close()
	raw.SetDeadline(time.Now().Add(c.patient))
	atomic.AddInt64(&c.summary.Connections, 1)
	t := tls.Client(raw, &tls.Config{InsecureSkipVerify: true, ServerName: c.sni, Certificates: []tls.Certificate{*c.clients[client]},
		MinVersion: tls.VersionTLS12, MaxVersion: tls.VersionTLS12 + uint16(r.Intn(2))})
	in := bufio.NewReader(t)
	last := r.Intn(3) == 0
	for done := 0; done < want; {
		n := 1
		if r.Intn(5) == 0 {
			n = 1 + r.Intn(8)
		}
		if n > want-done {
			n = want - done
		}
		batch := make([]exchange, n)
		for i := range batch {
			batch[i] = c.request(r, client, fmt.Sprintf("%d-%d", id, done+i), last && done+i == want-1)
		}
		if !c.pipeline(t, in, batch) {
			return true
		}
		done += n
	}
	c.part(t, in, r, client, id, last)
	return true
}

// part ends a connection in one of the ways that clients end theirs.
func (c *churn) part(t *tls.Conn, in *bufio.Reader, r *mrand.Rand, client, id int, last bool) {
	switch {
	case last:
		if n, err := in.Read(make([]byte, 1)); n != 0 || err != io.EOF {
			c.fault("behind the last answer: %d bytes, %v", n, err)
		}
	case r.Intn(3) == 0: // in the middle of a request, or of its answer
		x := c.request(r, client, fmt.Sprintf("gone-%d", id), false)
		atomic.AddInt64(&c.summary.Abandoned, 1)
		if t.Write(x.raw[:1+r.Intn(len(x.raw))]); r.Intn(2) == 0 {
			t.NetConn().(*net.TCPConn).SetLinger(0)
		}
		t.NetConn().Close()
	case r.Intn(2) == 0:
		t.NetConn().Close()
	default:
		t.Close()
	}
}

func (c *churn) run(width int, seed int64) {
	var next int64
	var all sync.WaitGroup
	for w := 0; w < width; w++ {
		all.Add(1)
		go func() {
			defer all.Done()
			for {
				id := atomic.AddInt64(&next, 1)
				if !c.session(int(id), mrand.New(mrand.NewSource(seed<<32+id))) {
					return
				}
			}
		}()
	}
	all.Wait()
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "churn:", err)
	os.Exit(2)
}

func main() {
	addr := flag.String("addr", "", "HOST:PORT of the proxy")
	sni := flag.String("sni", "churn.example", "server name")
	back := flag.String("back", "", "HOST:PORT to be the back end on")
	n := flag.Int("n", 1000, "requests")
	width := flag.Int("c", 48, "connections at a time")
	seed := flag.Int64("seed", 1, "of everything that is left to chance")
	folder := flag.String("pki", "", "where the clients are")
	names := flag.String("clients", "", "their labels, which are their common names")
	patient := flag.Duration("patient", 60*time.Second, "for one connection")
	flag.Parse()

	c := &churn{addr: *addr, sni: *sni, patient: *patient, seen: map[string]int{}}
	c.names = strings.Split(*names, ",")
	for _, name := range c.names {
		cert, err := wire.LoadPEM(filepath.Join(*folder, name+".pem"), filepath.Join(*folder, name+".key"))
		if err != nil {
			fail(err)
		}
		c.clients = append(c.clients, cert)
	}
	if err := c.listen(*back); err != nil {
		fail(err)
	}
	c.left = int64(*n)
	c.run(*width, *seed)
	c.lock.Lock()
	defer c.lock.Unlock()
	for token, count := range c.seen {
		if strings.HasPrefix(token, "gone-") {
			continue
		}
		c.summary.Served++
		if count > 1 {
			c.summary.Twice++
		}
	}
	json.NewEncoder(os.Stdout).Encode(c.summary)
}
