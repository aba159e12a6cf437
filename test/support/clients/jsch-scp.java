// JSch, as its examples ScpTo and ScpFrom use it: put|get FLAGS PORT USER KEY LOCAL REMOTE. Exit status 1 if it fails.
import com.jcraft.jsch.ChannelExec;
import com.jcraft.jsch.JSch;
import com.jcraft.jsch.Session;
import java.io.ByteArrayOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermission;

class JschScp {
  public static void main(String[] words) throws Exception {
    if (words[0].equals("version")) {
      System.out.println("JSch " + JSch.VERSION);
      return;
    }
    boolean put = words[0].equals("put");
    boolean times = words[1].contains("p");
    Path local = Path.of(words[5]);
    JSch jsch = new JSch();
    jsch.setKnownHosts(System.getenv("HOME") + "/.ssh/known_hosts");
    jsch.addIdentity(words[4]);
    Session session = jsch.getSession(words[3], "127.0.0.1", Integer.parseInt(words[2]));
    int status = 0;
    try {
      session.connect();
      ChannelExec channel = (ChannelExec) session.openChannel("exec");
      String quoted = "'" + words[6].replace("'", "'\"'\"'") + "'";
      channel.setCommand("scp " + (times ? "-p " : "") + (put ? "-t " : "-f ") + quoted);
      OutputStream out = channel.getOutputStream();
      InputStream in = channel.getInputStream();
      channel.connect();
      if (put) send(in, out, local, times);
      else receive(in, out, local, times);
      out.close();
      channel.disconnect();
    } catch (Exception error) {
      System.err.println(error.getMessage());
      status = 1;
    }
    session.disconnect();
    System.exit(status);
  }

  static void send(InputStream in, OutputStream out, Path local, boolean times) throws IOException {
    checkReply(in);
    int mode = 0644;
    if (times) {
      long seconds = Files.getLastModifiedTime(local).toMillis() / 1000;
      write(out, "T" + seconds + " 0 " + seconds + " 0\n");
      checkReply(in);
      mode = 0;
      for (PosixFilePermission right : Files.getPosixFilePermissions(local)) mode |= 0400 >> right.ordinal();
    }
    write(out, String.format("C%04o %d %s\n", mode, Files.size(local), local.getFileName()));
    checkReply(in);
    Files.copy(local, out);
    write(out, "\0");
    checkReply(in);
  }

  static void receive(InputStream in, OutputStream out, Path local, boolean times) throws IOException {
    write(out, "\0");
    FileTime modified = null;
    String line = readLine(in);
    if (line.startsWith("T")) {
      modified = FileTime.fromMillis(Long.parseLong(line.substring(1).split(" ")[0]) * 1000);
      write(out, "\0");
      line = readLine(in);
    }
    if (!line.startsWith("C")) throw new IOException(line.substring(1));
    write(out, "\0");
    long left = Long.parseLong(line.split(" ")[1]);
    try (OutputStream file = Files.newOutputStream(local)) {
      byte[] buffer = new byte[1024];
      while (left > 0) {
        int count = in.read(buffer, 0, (int) Math.min(buffer.length, left));
        if (count < 0) throw new EOFException("the file ends early");
        file.write(buffer, 0, count);
        left -= count;
      }
    }
    checkReply(in);
    write(out, "\0");
    if (times && modified != null) Files.setLastModifiedTime(local, modified);
  }

  static void write(OutputStream out, String text) throws IOException {
    out.write(text.getBytes(StandardCharsets.UTF_8));
    out.flush();
  }

  static void checkReply(InputStream in) throws IOException {
    int reply = in.read();
    if (reply < 0) throw new EOFException("no reply");
    if (reply != 0) throw new IOException(readLine(in));
  }

  static String readLine(InputStream in) throws IOException {
    ByteArrayOutputStream line = new ByteArrayOutputStream();
    for (int next = in.read(); next != '\n'; next = in.read()) {
      if (next < 0) throw new EOFException("no reply");
      line.write(next);
    }
    return line.toString(StandardCharsets.UTF_8);
  }
}
