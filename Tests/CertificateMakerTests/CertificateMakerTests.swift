import CertificateMaker
import Glibc
import Listening
import Testing

@Suite struct CertificateMakerTests {
    func write(_ bytes: [UInt8], _ path: String) throws {
        let file = try #require(fopen(path, "w"))
        #expect(fwrite(bytes, 1, bytes.count, file) == bytes.count)
        fclose(file)
    }

    @Test func theServicesTakeWhatIsIssued() throws {
        var template = Array("/tmp/twinpost-ca-XXXXXX".utf8CString)
        let directory = String(cString: try #require(mkdtemp(&template)))
        let authority = try CertificateAuthority(name: "Test", days: 2)
        let one = try authority.issue(
            hostNames: ["localhost"], addresses: ["127.0.0.1", "::1"], days: 2)
        let other = try authority.issue(hostNames: ["localhost"], addresses: [], days: 2)
        #expect(one.key != other.key && one.certificate != other.certificate)
        try write(one.certificate, directory + "/c.pem")
        try write(one.key, directory + "/k.pem")
        let files = TLSContexts.Files(
            certificate: directory + "/c.pem", privateKey: directory + "/k.pem")
        #expect(try TLSContexts.load(files).serverEndPoint?.count == 32)
        try write(other.key, directory + "/k.pem")
        #expect(throws: TLSFileError.self) { try TLSContexts.load(files) }
        for name in ["c.pem", "k.pem"] { unlink(directory + "/" + name) }
        rmdir(directory)
    }

    @Test func namesThatAreNotNamesAreRefused() throws {
        let authority = try CertificateAuthority(name: "Test", days: 2)
        #expect(throws: CertificateError.self) {
            try authority.issue(hostNames: ["a"], addresses: ["not an address"], days: 2)
        }
    }
}
