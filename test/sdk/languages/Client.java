/** The JDK's HttpClient in a sandbox: a call, a stream, a refusal. Prints one line each. */
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;

class Client {
  static final HttpClient client = HttpClient.newHttpClient();

  static HttpRequest.Builder to(String url) {
    return HttpRequest.newBuilder(URI.create(url))
        .header("Authorization", "Bearer " + System.getenv("API_KEY"))
        .header("Content-Type", "application/json");
  }

  public static void main(String[] arguments) throws Exception {
    String url = arguments[0];
    var thing = to(url + "/things").POST(BodyPublishers.ofString("{\"name\":\"thing\"}")).build();
    var created = client.send(thing, BodyHandlers.ofString());
    System.out.println(created.statusCode() + " " + created.body());

    List<String> pieces = new ArrayList<>();
    var stream = client.send(to(url + "/stream").build(), BodyHandlers.ofLines());
    for (Iterator<String> lines = stream.body().iterator(); lines.hasNext();) {
      pieces.add(lines.next());
      if (pieces.size() == 1) {
        client.send(to(url + "/release").build(), BodyHandlers.discarding());
      }
    }
    System.out.println(String.join(" ", pieces));

    var refused = client.send(to(url + "/forbidden").build(), BodyHandlers.ofString());
    String code = refused.body().replaceAll(".*\"code\":\"(\\w+)\".*", "$1");
    System.out.println(refused.statusCode() + " " + code);

    try {
      client.send(to(arguments[1]).build(), BodyHandlers.discarding());
    } catch (IOException failure) {
      System.out.println(failure.getMessage());
    }
  }
}
