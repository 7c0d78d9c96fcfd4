package adopt

// headers are the names that columns have, in English, German, Dutch and French, as headerKey writes them.
var headers = map[field]string{
	fieldMAC: `mac macaddress macaddr macid macadresse macadres adressemac adressesmac ethernet ethernetaddress ethernetadresse hardwareaddress
		hwaddress hardwareadresse hardwareadres physicaladdress physikalischeadresse fysiekadres adressephysique adressematerielle lanmac macnr
		macnummer macnumber nomac`,
	fieldModel: `model modell modele type typ devicetype phonetype phonemodel telefontyp telefonmodell gerat geraet geratetyp geraetetyp geratemodell
		toesteltype typetoestel toestelmodel appareil typeappareil typedappareil typedetelephone hardware product produkt apparaat`,
	fieldLabel: `label name phonelabel phonename bezeichnung beschriftung description beschreibung benaming omschrijving libelle etiquette nom naam fullname
		vollername volledigenaam nomcomplet displaylabel anzeigelabel devicedescription employee mitarbeiter medewerker employe collaborateur
		contact kontakt contactpersoon ansprechpartner`,
	fieldFirst: `firstname vorname voornaam prenom givenname`,
	fieldLast:  `lastname surname familyname nachname familienname achternaam nomdefamille`,
	fieldLocation: `location place room ort standort raum zimmer buro buero locatie plaats lokaal kamer ruimte lieu emplacement salle bureau office
		floor etage verdieping stock abteilung department afdeling service departement`,
	fieldPerson: `user benutzer utilisateur gebruiker nutzer`,
	fieldNumber: `extension ext extn extensionnumber number nummer num numero durchwahl dw nebenstelle nebenstellennummer nebenstellennr rufnummer
		telefonnummer telefon telefoon telephone tel phone phonenumber telephonenumber numerodetelephone telefoonnummer toestelnummer toestel
		internnummer intern interne extensie doorkiesnummer doorkies poste numerodeposte posteinterne ligne line linename linenumber
		account accountname accountnumber directorynumber dn lijn lijnnummer linie leitung leitungsnummer sipid sipnumber siprufnummer
		sipaccount sipnummer internalnumber internenummer durchwahlnummer nr no`,
	fieldAuth: `authname auth authuser authid authusername authenticationname authenticationid authenticationuser authentificationid login loginname loginid
		username userid sipuser sipusername sipuserid benutzername benutzerkennung anmeldename anmeldung kennung gebruikersnaam aanmeldnaam
		aanmeldingsnaam inlognaam identifiant nomdutilisateur compte sipbenutzer sipbenutzername authentifizierungsname authname
		authentifizierung authenticatie authenticatienaam`,
	fieldPassword: `password pass secret pwd passwd passcode sippassword authpassword passwort kennwort geheimnis wachtwoord paswoord motdepasse mdp
		sippasswort sipsecret sipkennwort sipwachtwoord passe`,
	fieldDisplay: `displayname display callerid calleridname cid cidname anzeigename anzeige anzeigetext weergavenaam weergave schermnaam nomaffiche
		nomdaffichage affichage angezeigtername`,
	fieldShort: `shortname short keylabel buttonlabel kurzname tastenbeschriftung taste kortenaam toetslabel nomcourt nomabrege`,
	fieldAddress: `address ip ipaddress ipadresse ipadres adresseip adresse adres fixedip fixedaddress reservation staticip festeip festeadresse vastip
		vastadres ipfixe adressefixe`,
	fieldProxy: `proxy server sipserver sipproxy registrar pbx telefonanlage anlage centrale telefooncentrale serveur serveursip proxyserver`,
	fieldPort:  `port sipport proxyport serverport poort`,
	fieldLoad:  `load firmware image imageversion firmwareversion loadname`,
	fieldZone:  `timezone zone tz zeitzone tijdzone fuseauhoraire zonahoraria`,
	fieldRuns:  `runs runsnow running currentload currentfirmware`,
	fieldNone:  `devicename`, // a label in one program and SEP<MAC> in another: what stands below decides
	fieldOpen:  `openconfig openconfiguration`, fieldOwn: `ownfiles`,
	fieldParams: `parameters parameter parametres furtherparameters`, fieldForced: `forced forcedparameters`,
	fieldCompany: `company organization organisation firma firmenname bedrijf bedrijfsnaam societe entreprise organizationname`,
}
