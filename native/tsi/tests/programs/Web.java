import com.sun.net.httpserver.HttpServer;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.concurrent.Executors;

/** Web.java serve PORT, or Web.java get URL: HttpServer, HttpClient and a plain Socket. */
public class Web {
    public static void main(String[] arguments) throws Exception {
        if (arguments[0].equals("serve")) {
            serve(Integer.parseInt(arguments[1]));
        } else {
            get(URI.create(arguments[1]));
        }
    }

    static void serve(int port) throws Exception {
        HttpServer server = HttpServer.create(new InetSocketAddress(port), 1024);
        server.setExecutor(Executors.newFixedThreadPool(4));
        server.createContext("/", exchange -> {
            String caller = exchange.getRemoteAddress().getAddress().getHostAddress();
            byte[] body = (caller + " to " + exchange.getLocalAddress().getAddress().getHostAddress() + "\n").getBytes();
            exchange.sendResponseHeaders(200, body.length);
            exchange.getResponseBody().write(body);
            exchange.close();
        });
        server.start();
        System.out.println("ready");
    }

    static void get(URI uri) throws Exception {
        HttpRequest request = HttpRequest.newBuilder(uri).version(HttpClient.Version.HTTP_1_1).build();
        System.out.print(HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString()).body());
        try (Socket socket = new Socket(uri.getHost(), uri.getPort())) {
            socket.setTcpNoDelay(true);
            socket.getOutputStream().write("GET / HTTP/1.0\r\n\r\n".getBytes());
            String answer = new String(socket.getInputStream().readAllBytes());
            System.out.println(socket.getTcpNoDelay() + " " + answer.startsWith("HTTP/1.1 200"));
        }
    }
}
