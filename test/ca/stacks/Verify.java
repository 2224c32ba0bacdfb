// Shakes hands with 127.0.0.1:PORT as an HTTPS client does (PKIX and names), trusting CA alone; then the
// names, one handshake each. SNI is the name.
import java.io.FileInputStream;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import javax.net.ssl.*;

public class Verify {
  public static void main(String[] arguments) throws Exception {
    KeyStore roots = KeyStore.getInstance(KeyStore.getDefaultType());
    roots.load(null, null);
    try (FileInputStream in = new FileInputStream(arguments[0])) {
      roots.setCertificateEntry(
          "ca", CertificateFactory.getInstance("X.509").generateCertificate(in));
    }
    TrustManagerFactory factory = TrustManagerFactory.getInstance("PKIX");
    factory.init(roots);
    SSLContext context = SSLContext.getInstance("TLS");
    context.init(null, factory.getTrustManagers(), null);
    for (int at = 2; at < arguments.length; at += 1) {
      Socket plain = new Socket();
      plain.connect(new InetSocketAddress("127.0.0.1", Integer.parseInt(arguments[1])));
      SSLSocket socket =
          (SSLSocket) context.getSocketFactory().createSocket(plain, arguments[at], 443, true);
      SSLParameters parameters = socket.getSSLParameters();
      parameters.setEndpointIdentificationAlgorithm("HTTPS");
      socket.setSSLParameters(parameters);
      socket.startHandshake();
      socket.close();
      System.out.println("verified " + arguments[at]);
    }
  }
}
