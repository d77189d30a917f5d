// A static program without libc: serves and calls over plain TCP, for tests of what moves its sockets.
//
//	peer serve ADDRESS        : one line of words decides what a connection does
//	peer hash ADDRESS up N    : sends N bytes, compares the server's hash
//	peer hash ADDRESS down N  : receives N bytes, compares the server's hash
//	peer short ADDRESS N C    : N connections with one exchange each, C at a time
//	peer held ADDRESS N       : N connections at once, each with an exchange while all are open
//	peer half ADDRESS         : half close by the client, then the answer; half close by the server, then the client's rest
package main

import (
	"bufio"
	"crypto/sha256"
	"fmt"
	"hash"
	"io"
	"net"
	"os"
	"strconv"
	"sync"
)

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "peer:", err)
		os.Exit(1)
	}
}

func number(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	must(err)
	return n
}

// pattern fills p with bytes that differ over the whole stream, so that a lost or doubled piece changes the hash.
func pattern(p []byte, at int64) {
	for i := range p {
		x := uint64(at+int64(i)) * 0x9e3779b97f4a7c15
		p[i] = byte(x >> 56)
	}
}

func send(w io.Writer, n int64) hash.Hash {
	sum, p := sha256.New(), make([]byte, 256<<10)
	pattern(p, 7)
	for at := int64(0); at < n; {
		m := min(int64(len(p)), n-at)
		p[0], p[1], p[2] = byte(at>>18), byte(at>>26), byte(at>>34)
		_, err := w.Write(p[:m])
		must(err)
		sum.Write(p[:m])
		at += m
	}
	return sum
}

func serve(address string) {
	listener, err := net.Listen("tcp", address)
	must(err)
	fmt.Println("listening")
	for {
		c, err := listener.Accept()
		must(err)
		go handle(c)
	}
}

func handle(c net.Conn) {
	defer c.Close()
	in := bufio.NewReaderSize(c, 256<<10)
	var what string
	var n int64
	words, err := in.ReadString('\n')
	if err != nil {
		return
	}
	if _, err := fmt.Sscan(words, &what, &n); err != nil {
		return
	}
	switch what {
	case "up":
		sum := sha256.New()
		if _, err := io.CopyN(sum, in, n); err == nil {
			fmt.Fprintf(c, "%x\n", sum.Sum(nil))
		}
	case "down":
		fmt.Fprintf(c, "%x\n", send(c, n).Sum(nil))
		// The client closes first: Envoy, as any node proxy of ambient here, cuts off what it still holds when a server
		// closes both halves at once.
		io.Copy(io.Discard, in)
	case "exchange":
		fmt.Fprintf(c, "%d %s\n", n, c.RemoteAddr().(*net.TCPAddr).IP)
		io.Copy(io.Discard, in)
	case "answer-after-end":
		rest, _ := io.ReadAll(in)
		fmt.Fprintf(c, "got %d\n", len(rest))
	case "end-first":
		fmt.Fprintln(c, "bye")
		must(c.(*net.TCPConn).CloseWrite())
		rest, _ := io.ReadAll(in)
		fmt.Println("after my end:", string(rest))
	}
}

func dial(address, words string) (net.Conn, *bufio.Reader) {
	c, err := net.Dial("tcp", address)
	must(err)
	_, err = fmt.Fprintln(c, words)
	must(err)
	return c, bufio.NewReaderSize(c, 256<<10)
}

func line(in *bufio.Reader) string {
	text, err := in.ReadString('\n')
	must(err)
	return text[:len(text)-1]
}

func same(got, want string) {
	if got != want {
		must(fmt.Errorf("got %q, wanted %q", got, want))
	}
}

func transfer(address, way string, n int64) {
	c, in := dial(address, fmt.Sprintf("%s %d", way, n))
	defer c.Close()
	if way == "up" {
		own := fmt.Sprintf("%x", send(c, n).Sum(nil))
		same(line(in), own)
	} else {
		sum := sha256.New()
		_, err := io.CopyN(sum, in, n)
		must(err)
		same(line(in), fmt.Sprintf("%x", sum.Sum(nil)))
	}
}

func short(address string, n, workers int64) {
	var group sync.WaitGroup
	for w := range workers {
		group.Go(func() {
			for i := w; i < n; i += workers {
				c, in := dial(address, fmt.Sprintf("exchange %d", i))
				own := c.LocalAddr().(*net.TCPAddr).IP.String()
				same(line(in), fmt.Sprintf("%d %s", i, own))
				c.Close()
			}
		})
	}
	group.Wait()
}

func held(address string, n int64) {
	connections := make([]net.Conn, n)
	for i := range connections {
		c, err := net.Dial("tcp", address)
		must(err)
		connections[i] = c
	}
	for i := len(connections) - 1; i >= 0; i-- {
		fmt.Fprintf(connections[i], "exchange %d\n", i)
	}
	for i, c := range connections {
		same(line(bufio.NewReader(c)), fmt.Sprintf("%d %s", i, c.LocalAddr().(*net.TCPAddr).IP))
	}
	for _, c := range connections {
		c.Close()
	}
}

func half(address string) {
	c, in := dial(address, "answer-after-end 0")
	fmt.Fprint(c, "12345")
	must(c.(*net.TCPConn).CloseWrite())
	same(line(in), "got 5")
	c.Close()
	c, in = dial(address, "end-first 0")
	same(line(in), "bye")
	if _, err := in.ReadByte(); err != io.EOF {
		must(fmt.Errorf("no end after bye: %v", err))
	}
	fmt.Fprint(c, "heard you")
	must(c.Close())
}

func main() {
	switch os.Args[1] {
	case "serve":
		serve(os.Args[2])
	case "hash":
		transfer(os.Args[2], os.Args[3], number(os.Args[4]))
	case "short":
		short(os.Args[2], number(os.Args[3]), number(os.Args[4]))
	case "held":
		held(os.Args[2], number(os.Args[3]))
	case "half":
		half(os.Args[2])
	}
	fmt.Println("ok")
}
